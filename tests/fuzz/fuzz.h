/*
 * What every fuzzer has: fuzz(), which takes any bytes and aborts when a promise is broken.
 *
 * Built as a test, a fuzzer runs its corpus and then some thousand random inputs from a
 * printed seed: `test_<what> [--seed N] [--runs N] [FILE...]`. Built with -DTUSK_LIBFUZZER and
 * clang's -fsanitize=fuzzer, it is a fuzzer of libFuzzer.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fuzz(const uint8_t *data, size_t size);

/* What a fuzzer asks for is so, or the input is printed and the program ends. */
#define demand(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

static const uint8_t *fuzz_data;
static size_t fuzz_size;

static __attribute__((unused, noreturn)) void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken: %s\ninput (%zu bytes):", file, line, what, fuzz_size);
    for (size_t i = 0; i < fuzz_size; i++)
        fprintf(stderr, " %02x", fuzz_data[i]);
    fprintf(stderr, "\n");
    abort();
}

static __attribute__((unused)) int fuzz_one(const uint8_t *data, size_t size)
{
    fuzz_data = data;
    fuzz_size = size;
    fuzz(data, size);
    return 0;
}

#ifdef TUSK_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size);
}

#else

enum { FUZZ_LONGEST = 4096 };

static uint64_t fuzz_state;

static uint32_t fuzz_random(uint32_t below)
{
    fuzz_state = fuzz_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fuzz_state >> 33) % below;
}

static void fuzz_file(const char *path)
{
    static uint8_t data[65536];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        exit(2);
    }
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    fuzz_one(data, size);
}

static int fuzz_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (!dir) {
        perror(path);
        exit(2);
    }
    while ((entry = readdir(dir)) != NULL) {
        char name[1024];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        fuzz_file(name);
        count++;
    }
    closedir(dir);
    return count;
}

/* Bytes of few kinds, for these meet more often. */
static void fuzz_randomly(void)
{
    static const char letters[] = "ab\r\n:/.0123456789";
    uint8_t data[FUZZ_LONGEST];
    size_t size = fuzz_random(fuzz_random(8) ? 64 : FUZZ_LONGEST);
    uint32_t kinds = 1 + fuzz_random(sizeof letters - 1);

    for (size_t i = 0; i < size; i++)
        data[i] = fuzz_random(16) ? (uint8_t)letters[fuzz_random(kinds)] : (uint8_t)fuzz_random(256);
    fuzz_one(data, size);
}

static int fuzz_main(int argc, char **argv, const char *corpus)
{
    uint64_t seed = (uint64_t)time(NULL);
    long runs = 1000;
    int files = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--help") == 0) {
            printf(
                "usage: %s [--seed N] [--runs N] [FILE...]\n\nRuns the files, or else the corpus, and then "
                "random inputs from the seed.\n",
                argv[0]);
            return 0;
        } else {
            fuzz_file(argv[i]);
            files++;
        }
    }
    if (files == 0)
        files = fuzz_folder(corpus);
    fuzz_state = seed;
    for (long i = 0; i < runs; i++)
        fuzz_randomly();
    printf("%d files, %ld random inputs of seed %llu: nothing broken\n", files, runs,
           (unsigned long long)seed);
    return 0;
}

#endif

#endif
