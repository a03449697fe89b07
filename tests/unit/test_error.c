/* SPDX-License-Identifier: MIT */
/*
 * test_error.c: the names and texts of the codes, and how errno becomes one.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <pollux/error.h>

#include "src/os/os.h"
#include "suites.h"

/* Written out, since programs are compiled with these numbers. */
static const struct {
    int code;
    int number;
    const char *name;
} codes[] = {
    {PLX_OK, 0, "PLX_OK"},
    {PLX_ERR_SYSTEM, -1, "PLX_ERR_SYSTEM"},
    {PLX_ERR_NOMEM, -2, "PLX_ERR_NOMEM"},
    {PLX_ERR_INVALID, -3, "PLX_ERR_INVALID"},
    {PLX_ERR_EXISTS, -4, "PLX_ERR_EXISTS"},
    {PLX_ERR_NOTFOUND, -5, "PLX_ERR_NOTFOUND"},
    {PLX_ERR_TIMEOUT, -6, "PLX_ERR_TIMEOUT"},
    {PLX_ERR_INTERRUPTED, -7, "PLX_ERR_INTERRUPTED"},
    {PLX_ERR_PERMISSION, -8, "PLX_ERR_PERMISSION"},
    {PLX_ERR_TOOBIG, -9, "PLX_ERR_TOOBIG"},
    {PLX_ERR_AGAIN, -10, "PLX_ERR_AGAIN"},
    {PLX_ERR_NOSUPPORT, -11, "PLX_ERR_NOSUPPORT"},
    {PLX_ERR_INACTIVE, -12, "PLX_ERR_INACTIVE"},
    {PLX_ERR_BADHANDLE, -13, "PLX_ERR_BADHANDLE"},
    {PLX_ERR_UNAVAILABLE, -14, "PLX_ERR_UNAVAILABLE"},
    {PLX_ERR_BUSY, -15, "PLX_ERR_BUSY"},
    {PLX_ERR_FORKED, -16, "PLX_ERR_FORKED"},
};

#define CODE_COUNT (sizeof codes / sizeof codes[0])

START_TEST(each_code_has_its_number_and_its_name)
{
    for (size_t i = 0; i < CODE_COUNT; i++) {
        ck_assert_int_eq(codes[i].code, codes[i].number);
        ck_assert_str_eq(plx_error_name(codes[i].code), codes[i].name);
    }
}
END_TEST

START_TEST(each_code_has_a_sentence_of_its_own)
{
    for (size_t i = 0; i < CODE_COUNT; i++) {
        const char *text = plx_error_text(codes[i].code);
        ck_assert_uint_gt(strlen(text), 5);
        ck_assert_int_eq(text[strlen(text) - 1], '.');
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(text, plx_error_text(codes[j].code));
    }
}
END_TEST

START_TEST(a_count_is_a_success)
{
    static const int counts[] = {1, 16, INT_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        ck_assert_str_eq(plx_error_name(counts[i]), "PLX_OK");
        ck_assert_str_eq(plx_error_text(counts[i]), plx_error_text(PLX_OK));
    }
}
END_TEST

START_TEST(an_unknown_code_says_that_it_is_unknown)
{
    static const int unknown[] = {-17, -18, -1000, INT_MIN + 1, INT_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ck_assert_str_eq(plx_error_name(unknown[i]), "PLX_ERR_UNKNOWN");
        for (size_t j = 0; j < CODE_COUNT; j++)
            ck_assert_str_ne(plx_error_text(unknown[i]), plx_error_text(codes[j].code));
    }
}
END_TEST

START_TEST(errno_becomes_a_code_and_stays)
{
    static const struct {
        int cause;
        int code;
    } rows[] = {
        {ENOMEM, PLX_ERR_NOMEM},     {EBADF, PLX_ERR_BADHANDLE},  {EINVAL, PLX_ERR_INVALID},
        {EEXIST, PLX_ERR_EXISTS},    {ENOENT, PLX_ERR_NOTFOUND},  {EACCES, PLX_ERR_PERMISSION},
        {EPERM, PLX_ERR_PERMISSION}, {EMFILE, PLX_ERR_TOOBIG},    {ENFILE, PLX_ERR_TOOBIG},
        {EAGAIN, PLX_ERR_AGAIN},     {ENOSYS, PLX_ERR_NOSUPPORT}, {EOPNOTSUPP, PLX_ERR_NOSUPPORT},
        {ENOSPC, PLX_ERR_SYSTEM},    {EIO, PLX_ERR_SYSTEM},       {ELOOP, PLX_ERR_SYSTEM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        errno = rows[i].cause;
        ck_assert_int_eq(plx__os_error(), rows[i].code);
        ck_assert_int_eq(errno, rows[i].cause);
    }
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, each_code_has_its_number_and_its_name);
    tcase_add_test(tests, each_code_has_a_sentence_of_its_own);
    tcase_add_test(tests, a_count_is_a_success);
    tcase_add_test(tests, an_unknown_code_says_that_it_is_unknown);
    tcase_add_test(tests, errno_becomes_a_code_and_stays);
    suite_add_tcase(suite, tests);
    return suite;
}
