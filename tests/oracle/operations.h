/*
 * The operations that have operations inside, for the table of all.
 */
#ifndef TUSK_TESTS_ORACLE_OPERATIONS_H
#define TUSK_TESTS_ORACLE_OPERATIONS_H

#include "runner.h"

op_function run_block;
op_function run_try;
op_function run_finally;

#endif
