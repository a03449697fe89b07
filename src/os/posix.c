/* SPDX-License-Identifier: MIT */
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <pollux/error.h>
#include <pollux/event.h>

/* --- Where the systems differ --- */

/* Not in a program that has more rights than its user. */
static const char *environment(const char *name)
{
#ifdef __linux__
    return secure_getenv(name);
#else
    return issetugid() ? NULL : getenv(name);
#endif
}

/* A forked child is to find zeroes in the place of these pages. macOS has no word for that. */
static int wipe_on_fork(void *pages, size_t size)
{
#if defined(MADV_WIPEONFORK)
    return madvise(pages, size, MADV_WIPEONFORK);
#elif defined(INHERIT_ZERO)     /* FreeBSD 12, OpenBSD 5.6 */
    return minherit(pages, size, INHERIT_ZERO);
#elif defined(MAP_INHERIT_ZERO) /* NetBSD 8 */
    return minherit(pages, size, MAP_INHERIT_ZERO);
#elif defined(MC_INHERIT_ZERO)  /* illumos */
    return memcntl(pages, size, MC_INHERIT_ZERO, NULL, 0, 0);
#else
    (void)pages, (void)size;
    errno = ENOSYS;
    return -1;
#endif
}

/* --- What they share --- */

const uint32_t plx__os_supports = PLX_SIGNAL | PLX_PROCESS;

int64_t plx__os_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists on every system here */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t plx__os_thread(void)
{
    return (uint64_t)(uintptr_t)pthread_self(); /* an address on every system here */
}

int plx__os_error(void)
{
    switch (errno) {
    case ENOMEM:
        return PLX_ERR_NOMEM;
    case EBADF:
        return PLX_ERR_BADHANDLE;
    case EINVAL:
        return PLX_ERR_INVALID;
    case EEXIST:
        return PLX_ERR_EXISTS;
    case ENOENT:
        return PLX_ERR_NOTFOUND;
    case EACCES:
    case EPERM:
        return PLX_ERR_PERMISSION;
    case EMFILE:
    case ENFILE:
        return PLX_ERR_TOOBIG;
    case EAGAIN:
        return PLX_ERR_AGAIN;
    case ENOSYS:
    case EOPNOTSUPP:
        return PLX_ERR_NOSUPPORT;
    default:
        return PLX_ERR_SYSTEM;
    }
}

bool plx__os_is_open(plx_socket fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

uint32_t plx__os_file_identity(plx_socket fd)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return 0;
    uint64_t mix =
        ((uint64_t)file.st_dev << 32 ^ (uint64_t)file.st_ino) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mix >> 32) | 1;
}

int plx__os_close(plx_socket fd)
{
    /*
     * After EINTR the descriptor is closed on Linux and must not be closed again: another thread
     * may have got the number. EINPROGRESS is the same in words of newer standards.
     */
    if (close(fd) == 0 || errno == EINTR || errno == EINPROGRESS)
        return PLX_OK;
    return errno == EBADF ? PLX_ERR_BADHANDLE : PLX_ERR_SYSTEM;
}

const char *plx__os_environment(const char *name)
{
    return environment(name);
}

/* The page of the guard, published when a child is sure to find it wiped: contexts point to it. */
static _Atomic(plx__guard *) guard_page;

/* The latest stamp that this process or an ancestor used; copied by fork, unlike the page. */
static _Atomic uint32_t latest_stamp;

/* Another thread may fork when this is registered and the page is not published yet. */
static void forget_stamp(void)
{
    plx__guard *page = atomic_load(&guard_page);
    if (page)
        atomic_store(page, 0);
}

/*
 * Sees to it that a forked child finds zeroes; returns 0 or the cause. On a kernel that cannot
 * wipe, threads that get here together all register the handler, which may run more than once. A
 * lock or a mark "being registered" would do it once, but a child that another thread forks
 * meanwhile would wait for it for ever.
 */
static int have_wiped(void *page, size_t size)
{
    if (wipe_on_fork(page, size) == 0)
        return 0;
    if (atomic_load(&guard_page))
        return 0; /* another thread was first; this page will not be used */
    return pthread_atfork(NULL, NULL, forget_stamp);
}

static plx__guard *make_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    plx__guard *published = NULL;
    int cause = have_wiped(page, size);
    if (cause == 0 && atomic_compare_exchange_strong(&guard_page, &published, page))
        return page;
    munmap(page, size);
    if (cause != 0)
        errno = cause;
    return published; /* by the thread that was first */
}

const plx__guard *plx__os_guard(uint32_t *ret_stamp)
{
    plx__guard *page = atomic_load(&guard_page);
    if (!page && !(page = make_page()))
        return NULL;
    uint32_t stamp = atomic_load(page);
    if (stamp == 0) {
        uint32_t fresh = atomic_fetch_add(&latest_stamp, 1) + 1;
        if (atomic_compare_exchange_strong(page, &stamp, fresh))
            stamp = fresh; /* else `stamp` is what another thread set */
    }
    *ret_stamp = stamp;
    return page;
}
