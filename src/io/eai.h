/*
 * What the system's resolver answers, as codes of tusk.
 */
#ifndef TUSK__IO_EAI_H
#define TUSK__IO_EAI_H

/*
 * The code of what getaddrinfo() or getnameinfo() returned, and of errno after it: 0 for 0, and a
 * negative code for everything else. TUSK_EAI_UNKNOWN, with a message that has the number, for what
 * no header knows.
 */
int tusk__eai_code(int eai, int error);

#endif
