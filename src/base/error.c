/* SPDX-License-Identifier: MIT */
#include <pollux/error.h>

#include <stddef.h>

struct description {
    const char *name;
    const char *text;
};

/* Row -code: codes are dense from 0 downwards. */
static const struct description descriptions[] = {
    {"PLX_OK", "Success."},
    {"PLX_ERR_SYSTEM", "The system refused; errno says why."},
    {"PLX_ERR_NOMEM", "Out of memory."},
    {"PLX_ERR_INVALID", "An argument is not valid."},
    {"PLX_ERR_EXISTS", "The descriptor is already watched in this context."},
    {"PLX_ERR_NOTFOUND", "There is no such thing."},
    {"PLX_ERR_TIMEOUT", "The time has passed."},
    {"PLX_ERR_INTERRUPTED", "A signal handler ran."},
    {"PLX_ERR_PERMISSION", "Not permitted."},
    {"PLX_ERR_TOOBIG", "Out of descriptors."},
    {"PLX_ERR_AGAIN", "Not yet."},
    {"PLX_ERR_NOSUPPORT", "Not supported by this backend or on this system."},
    {"PLX_ERR_INACTIVE", "The watcher was removed."},
    {"PLX_ERR_BADHANDLE", "There is no open descriptor behind the handle."},
    {"PLX_ERR_UNAVAILABLE", "The backend is not available on this system."},
    {"PLX_ERR_BUSY", "The context is in use elsewhere."},
    {"PLX_ERR_FORKED", "The context belongs to the parent process."},
};

static const struct description *describe(int code)
{
    static const struct description unknown = {"PLX_ERR_UNKNOWN", "An unknown error."};
    if (code >= 0)
        return &descriptions[0];
    size_t row = (size_t)0 - (size_t)code;
    return row < sizeof descriptions / sizeof descriptions[0] ? &descriptions[row] : &unknown;
}

const char *plx_error_name(int code)
{
    return describe(code)->name;
}

const char *plx_error_text(int code)
{
    return describe(code)->text;
}
