/* SPDX-License-Identifier: MIT */
/*
 * victims.h: what the parts of faults.c share. Each part stands beneath the backends of one system;
 * there is one file for each kernel that is played.
 */
#ifndef MODEL_VICTIMS_H
#define MODEL_VICTIMS_H

#include <stdbool.h>

/* What can be refused. */
enum victim {
    VICTIM_NOTHING,
    VICTIM_MEMORY,
    VICTIM_QUEUE,    /* the making of a kernel queue */
    VICTIM_COUNTER,  /* the making of an eventfd */
    VICTIM_PROCESS,  /* the making of a descriptor of a process */
    VICTIM_ADDITION, /* to a kernel queue */
    VICTIM_CHANGE,   /* of what a kernel queue holds */
    VICTIM_WAITING,  /* interrupted, or no memory where the call needs some */
    VICTIM_EXACTNESS /* an old kernel, without epoll_pwait2() */
};

/* Is it this one's turn to be refused? */
bool victims_is_refused(enum victim victim);

/* Then this gives -1 and errno: the cause that was chosen, or another one. */
int victims_refuse(void);
int victims_refuse_with(int cause);

/* The kernel is asked for what is ready, or for a new queue. */
void victims_count_wait(void);
void victims_count_queue(void);

/* Where they are played: faults_kqueue.c, faults_event_ports.c. */
void faults_install_kqueue(void);
void faults_install_event_ports(void);

#endif
