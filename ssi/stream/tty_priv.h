// SPDX-License-Identifier: MIT
// What the files of ssi/stream share about terminals: the console and the slaves of ptys.
#pragma once

#include "ssi/stream/ldisc.h"
#include "ssi/stream/stream.h"

#define OUTPUT_BYTE_MAX 8u // one byte becomes at most so many

struct tty_device { // what is behind the line discipline
    void (*output)(struct tty *t, const char *bytes, size_t n); // at most as many as there is room
    size_t (*room)(struct tty *t); // bytes that can go out now; NULL: any number
    void (*taken)(struct tty *t);  // a reader took input, or it was flushed; NULL
    void (*flushed)(struct tty *t, bool input, bool output);       // TCFLSH; NULL
    void (*flow)(struct tty *t, bool stopped);                     // output stops or goes on; NULL
    void (*modes)(struct tty *t, const struct linux_termios *was); // they changed; NULL
};

struct tty {
    struct ldisc ldisc;
    struct list async;               // struct file_owner of its files
    bool wants_out;                  // a write found no room: news when there is some
    struct wait_queue input, output; // bytes came (also watched for `output`); output goes on
    struct linux_winsize window;
    struct linux_termios locked; // bits and characters that stay as they are
    int32_t foreground, session; // 0: none
    uint32_t number;             // TTY_CONSOLE, or 1 + number of its pty
    bool hung_up;                // nobody will ever be behind it again
    const struct tty_device *device;
};

void tty_init(struct tty *t, uint32_t number, const struct tty_device *device);
void tty_put_input(struct tty *t, const uint8_t *bytes, size_t n);
void tty_output_goes_on(struct tty *t);
void tty_signal_foreground(struct tty *t, int signal);
// Nobody is behind it any more: reads end, writes fail, its session has no terminal.
void tty_hang_up(struct tty *t);

// The file_ops of a terminal; f->data is the tty.
int tty_read(struct file *f, struct xfer *x, const uint64_t *at);
int tty_write(struct file *f, struct xfer *x, const uint64_t *at);
long tty_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes, size_t out_size);
unsigned tty_poll(struct file *f);
struct wait_queue *tty_poll_queue(struct file *f);
struct list *tty_async(struct file *f);
// The same requests from who is behind it (a pty's master): never in the background.
long tty_request(struct tty *t, uint32_t request, void *data, size_t in_bytes, size_t out_size);

const struct tty_signals *tty_signals_of_room(void); // NULL until they are set

int kmsg_open(const struct fs_who *who, uint32_t flags, struct file **f); // /dev/kmsg

// The place of /dev/NAME on this node; zeros before it is mounted.
struct fs_place device_place(const char *name);
// The place of /dev/pts/NUMBER.
struct fs_place device_place_pts(uint32_t number);
