/* SPDX-License-Identifier: MIT */
/* test_files.c: what is no stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit.h"

static int new_file(const char *text)
{
    char path[] = "/tmp/kqueue_shim_XXXXXX";
    int fd = keep(mkostemp(path, O_CLOEXEC));
    unlink(path);
    put(fd, text);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* kqueue(2), EVFILT_READ, vnodes: data is the way to the end of the file, and there it is silent.
 */
static bool file_is_ready_up_to_its_end(void)
{
    int kq = new_queue(), fd = new_file("abcde");
    struct kevent event;
    CHECK(change(kq, fd, EVFILT_READ, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 5 && event.flags == 0);
    lseek(fd, 3, SEEK_SET);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 2);
    lseek(fd, 0, SEEK_END);
    CHECK(ask(kq, &event, 1) == 0);
    return true;
}

/* VN_KNOTE() of a write. */
static bool file_that_grows_is_ready_again(void)
{
    int kq = new_queue(), fd = new_file("abc");
    struct kevent event;
    change(kq, fd, EVFILT_READ, EV_ADD | EV_CLEAR);
    CHECK(ask(kq, &event, 1) == 1);
    CHECK(ask(kq, &event, 1) == 0);
    CHECK(pwrite(fd, "more", 4, 3) == 4);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 7);
    return true;
}

/* kqueue(2), NOTE_FILE_POLL: as poll(2) has it. */
static bool file_poll_is_ready_at_the_end(void)
{
    int kq = new_queue(), fd = new_file("");
    struct kevent event;
    change_with(kq, fd, EVFILT_READ, EV_ADD, NOTE_FILE_POLL, 0, NULL);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 0);
    return true;
}

/* filt_vfswrite(): always, and it has nothing to count. */
static bool file_can_always_be_written(void)
{
    int kq = new_queue(), fd = new_file("");
    struct kevent event;
    CHECK(change(kq, fd, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(ask(kq, &event, 1) == 1 && event.data == 0);
    CHECK(ask(kq, &event, 1) == 1);
    return true;
}

static bool directory_is_einval(void)
{
    int kq = new_queue(), fd = keep(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(change(kq, fd, EVFILT_READ, EV_ADD) == EINVAL);
    CHECK(kqueue_shim_notes(kq) == 0);
    return true;
}

static bool null_device_is_always_ready(void)
{
    int kq = new_queue(), fd = keep(open("/dev/null", O_RDWR | O_CLOEXEC));
    struct kevent events[2];
    CHECK(change(kq, fd, EVFILT_READ, EV_ADD) == 0);
    CHECK(change(kq, fd, EVFILT_WRITE, EV_ADD | EV_CLEAR) == 0);
    CHECK(ask(kq, events, 2) == 2);
    CHECK(ask(kq, events, 2) == 1 && events[0].filter == EVFILT_READ);
    return true;
}

/* They have no place in an epoll queue, and are pending for whoever watches this one. */
static bool file_shows_outside(void)
{
    int kq = new_queue(), fd = new_file("abc");
    CHECK(!shows(kq));
    change(kq, fd, EVFILT_READ, EV_ADD);
    CHECK(shows(kq));
    change(kq, fd, EVFILT_READ, EV_DELETE);
    CHECK(!shows(kq));
    return true;
}

static bool terminal_tells_of_bytes_and_of_its_end(void)
{
    int kq = new_queue();
    int master = keep(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    struct kevent event;
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = keep(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
    change(kq, master, EVFILT_READ, EV_ADD);
    put(slave, "abc");
    CHECK(await(kq, &event, 1) == 1 && event.data == 3 && event.flags == 0);
    drop(slave);
    CHECK(await(kq, &event, 1) == 1 && event.flags & EV_EOF);
    return true;
}

const struct fact facts_of_files[] = {
    FACT(file_is_ready_up_to_its_end),
    FACT(file_that_grows_is_ready_again),
    FACT(file_poll_is_ready_at_the_end),
    FACT(file_can_always_be_written),
    FACT(directory_is_einval),
    FACT(null_device_is_always_ready),
    FACT(file_shows_outside),
    FACT(terminal_tells_of_bytes_and_of_its_end),
    FACTS_END,
};
