/* SPDX-License-Identifier: MIT */
/* helper.h: another thread, which does one thing and is gone again. */
#ifndef MODEL_HELPER_H
#define MODEL_HELPER_H

/* Returns once it is done, so that a schedule stays one story. */
void helper_do(void (*deed)(void *), void *object);

#endif
