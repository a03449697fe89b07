/* SPDX-License-Identifier: MIT */
/* options.c: see options.h. */
#include "options.h"

#include "machine.h"

#include <stdio.h>
#include <string.h>

/* One number up to the next comma. */
static long number_at(const struct option_number *option, const char *text)
{
    char one[32];
    snprintf(one, sizeof(one), "%.*s", (int)strcspn(text, ","), text);
    return machine_number(option->name, one, option->least, option->most);
}

static void take_list(const struct option_number *option, const char *text)
{
    int count = 0;
    option->value[count++] = number_at(option, text);
    for (text = strchr(text, ','); text && count < OPTIONS_MOST_LISTED; text = strchr(text, ','))
        option->value[count++] = number_at(option, ++text);
    *option->listed = count;
}

bool options_take(const struct option_number *option, const char *name, const char *value)
{
    for (; option->name; option++) {
        if (strcmp(name, option->name) != 0)
            continue;
        if (option->listed)
            take_list(option, value);
        else
            *option->value = machine_number(name, value, option->least, option->most);
        return true;
    }
    return false;
}
