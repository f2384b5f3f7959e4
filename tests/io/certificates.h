/*
 * Certificates for the tests of TLS, made when the test starts, as PEM files in a folder that goes with it.
 *
 * One authority, "ca.pem", signs the others, but for "self.pem", which signed itself, and
 * "stranger.pem", which another authority did. Each file of a certificate has its key in it.
 */
#ifndef TESTS_IO_CERTIFICATES_H
#define TESTS_IO_CERTIFICATES_H

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERTIFICATES_UNUSED __attribute__((unused))

enum { DAY = 24 * 60 * 60 };

static CERTIFICATES_UNUSED char certificates_folder[256];

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

/* What a test that cannot be set up does. */
static void certificates_need(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "cannot make certificates: %s\n", what);
    abort();
}

/* The path of a file in the folder; valid until the eighth call after this one. */
static CERTIFICATES_UNUSED const char *pem(const char *name)
{
    static char paths[8][520];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", certificates_folder, name);
    return path;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    certificates_need(extension != NULL, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/*
 * A certificate for these names ("DNS:localhost, IP:127.0.0.1"; NULL: none), valid from one day to another,
 * counted from today. issuer NULL: it signs itself.
 */
static CERTIFICATES_UNUSED struct identity make_identity(const char *common_name, const char *names,
                                                         const struct identity *issuer, int from, int to)
{
    static long serial = 1;
    struct identity identity = {X509_new(), EVP_EC_gen("P-256")};
    const struct identity *signer = issuer ? issuer : &identity;
    X509_NAME *name = X509_get_subject_name(identity.certificate);

    X509_set_version(identity.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(identity.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(identity.certificate), (long)from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(identity.certificate), (long)to * DAY);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(identity.certificate, X509_get_subject_name(signer->certificate));
    X509_set_pubkey(identity.certificate, identity.key);
    if (names)
        add_extension(identity.certificate, NID_subject_alt_name, names);
    else if (!issuer)
        add_extension(identity.certificate, NID_basic_constraints, "critical,CA:TRUE");
    certificates_need(X509_sign(identity.certificate, signer->key, EVP_sha256()) > 0, common_name);
    return identity;
}

/* Writes a certificate, then its key (encrypted, with a password), then the certificate of its issuer. */
static CERTIFICATES_UNUSED void write_identity(const char *file, const struct identity *identity,
                                               const char *password, const struct identity *issuer)
{
    FILE *out = fopen(pem(file), "w");

    certificates_need(out != NULL, file);
    PEM_write_X509(out, identity->certificate);
    PEM_write_PrivateKey(out, identity->key, password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                         (void *)password);
    if (issuer)
        PEM_write_X509(out, issuer->certificate);
    fclose(out);
}

static void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* Makes one, writes it, and forgets it. */
static CERTIFICATES_UNUSED void make_file(const char *file, const char *common_name, const char *names,
                                          const struct identity *issuer, int from, int to)
{
    struct identity identity = make_identity(common_name, names, issuer, from, to);

    write_identity(file, &identity, NULL, NULL);
    free_identity(&identity);
}

static CERTIFICATES_UNUSED void write_text(const char *file, const char *text)
{
    FILE *out = fopen(pem(file), "w");

    certificates_need(out != NULL, file);
    fputs(text, out);
    fclose(out);
}

static CERTIFICATES_UNUSED void remove_certificates(void)
{
    DIR *folder = opendir(certificates_folder);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            unlink(pem(entry->d_name));
    if (folder)
        closedir(folder);
    rmdir(certificates_folder);
}

/* All files, in a folder that is there. */
static CERTIFICATES_UNUSED void write_certificates(const char *folder)
{
    struct identity ca;
    struct identity other;
    struct identity locked;

    snprintf(certificates_folder, sizeof certificates_folder, "%s", folder);
    ca = make_identity("Test Authority", NULL, NULL, -1, 30);
    other = make_identity("Another Authority", NULL, NULL, -1, 30);
    locked = make_identity("locked", "DNS:localhost", &ca, -1, 30);
    write_identity("ca.pem", &ca, NULL, NULL);
    write_identity("other-ca.pem", &other, NULL, NULL);
    write_identity("locked.pem", &locked, "open sesame", NULL);
    make_file("server.pem", "server", "DNS:localhost, DNS:two.example, IP:127.0.0.1, IP:::1", &ca, -1, 30);
    make_file("second.pem", "second", "DNS:second.example", &ca, -1, 30);
    make_file("wildcard.pem", "wildcard", "DNS:*.wild.example, DNS:w*.part.example", &ca, -1, 30);
    make_file("common.pem", "common.example", NULL, &ca, -1, 30);
    make_file("expired.pem", "expired", "DNS:localhost", &ca, -20, -10);
    make_file("early.pem", "early", "DNS:localhost", &ca, 10, 20);
    make_file("self.pem", "self", "DNS:localhost", NULL, -1, 30);
    make_file("stranger.pem", "stranger", "DNS:localhost", &other, -1, 30);
    make_file("client.pem", "client", "DNS:client.example", &ca, -1, 30);
    write_text("garbage.pem", "this is no certificate\n");
    free_identity(&ca);
    free_identity(&other);
    free_identity(&locked);
}

/* The same in a new folder, which goes when the program ends. */
static CERTIFICATES_UNUSED void make_certificates(void)
{
    char folder[] = "/tmp/tusk-tls-XXXXXX";

    certificates_need(mkdtemp(folder) != NULL, "no folder in /tmp");
    write_certificates(folder);
    atexit(remove_certificates);
}

#endif
