/* SPDX-License-Identifier: MIT */
/*
 * version.h: which pollux this is, and what a shared library exports.
 */
#ifndef POLLUX_VERSION_H
#define POLLUX_VERSION_H

#define PLX_VERSION_MAJOR 0
#define PLX_VERSION_MINOR 1
#define PLX_VERSION_PATCH 0

/* One number that grows with every release, for `#if` and for comparison with plx_version(). */
#define PLX_VERSION (PLX_VERSION_MAJOR * 10000 + PLX_VERSION_MINOR * 100 + PLX_VERSION_PATCH)

/*
 * PLX_API marks what is exported. Everything else is hidden. A program that links the shared
 * library on Windows defines POLLUX_SHARED (the CMake and pkg-config files do it for you).
 */
#if defined(_WIN32) && defined(POLLUX_BUILDING) && defined(POLLUX_SHARED)
#define PLX_API __declspec(dllexport)
#elif defined(_WIN32) && defined(POLLUX_SHARED)
#define PLX_API __declspec(dllimport)
#elif defined(__GNUC__)
#define PLX_API __attribute__((visibility("default")))
#else
#define PLX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The PLX_VERSION of the library that is running. It differs from the macro when a program was
 * compiled against one release and runs with another.
 *
 * Thread: any thread or signal handler. In callbacks: yes.
 */
PLX_API int plx_version(void);

#ifdef __cplusplus
}
#endif

#endif
