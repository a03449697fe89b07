/* SPDX-License-Identifier: MIT */
/* json_line.c: see json_line.h. */
#include "json_line.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* `at` is on the opening quote; gives the place behind the closing one. */
static const char *read_string(const char *at, char *text, size_t size)
{
    size_t used = 0;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (used + 1 < size)
            text[used++] = *at;
    }
    if (size > 0)
        text[used] = '\0';
    return *at ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
    return *at == '"' ? read_string(at, NULL, 0) : at + strcspn(at, ",}");
}

/* Where the value of a member begins, or NULL. */
static const char *find(const char *line, const char *name)
{
    char key[64];
    const char *at = skip_space(line);
    while (*at == '{' || *at == ',') {
        at = skip_space(at + 1);
        if (*at != '"')
            return NULL;
        at = skip_space(read_string(at, key, sizeof(key)));
        if (*at != ':')
            return NULL;
        at = skip_space(at + 1);
        if (strcmp(key, name) == 0)
            return at;
        at = skip_space(skip_value(at));
    }
    return NULL;
}

bool json_string(const char *line, const char *name, char *text, size_t size)
{
    const char *value = find(line, name);
    if (!value || *value != '"')
        return false;
    read_string(value, text, size);
    return true;
}

bool json_number(const char *line, const char *name, double *value)
{
    const char *text = find(line, name);
    char *end;
    if (!text)
        return false;
    double number = strtod(text, &end);
    if (end == text)
        return false;
    *value = number;
    return true;
}
