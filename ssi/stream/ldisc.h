// SPDX-License-Identifier: MIT
// The line discipline of a terminal (termios(3)): what input bytes become for readers, what is
// echoed, which signals they raise, and how output is processed. Plain data and callbacks; nothing
// sleeps. Input is kept in one ring; in canonical mode what is behind `line` is still edited.
#pragma once

#include "mm/user.h"
#include "ssi/stream/ioctls.h"

#define LDISC_BYTES 4096u // of input; a canonical line has at most one less

enum { // c_iflag
    ISTRIP = 0x20,
    INLCR = 0x40,
    IGNCR = 0x80,
    ICRNL = 0x100,
    IUCLC = 0x200,
    IXON = 0x400,
    IXANY = 0x800,
    IMAXBEL = 0x2000,
    IUTF8 = 0x4000
};
enum { // c_oflag
    OPOST = 1,
    ONLCR = 4,
    OCRNL = 8,
    ONOCR = 0x10,
    ONLRET = 0x20,
    XTABS = 0x1800
};
enum { // c_lflag
    ISIG = 1,
    ICANON = 2,
    ECHO = 8,
    ECHOE = 0x10,
    ECHOK = 0x20,
    ECHONL = 0x40,
    NOFLSH = 0x80,
    TOSTOP = 0x100,
    ECHOCTL = 0x200,
    ECHOPRT = 0x400,
    ECHOKE = 0x800,
    IEXTEN = 0x8000
};
enum { // c_cc
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2
};

struct ldisc_ops {
    void (*output)(void *owner, const char *bytes, size_t n); // to the device
    void (*signal)(void *owner, int signal);                  // to the foreground group
};

struct ldisc {
    const struct ldisc_ops *ops;
    void *owner;
    struct linux_termios termios;
    uint32_t head;        // next byte for a reader; these three count up for ever
    uint32_t line;        // behind the last complete line
    uint32_t tail;        // behind the last byte
    unsigned column;      // of the cursor
    unsigned line_column; // where the line that is edited began
    bool literal;         // VLNEXT: the next byte is taken as it is
    bool stopped;         // VSTOP: output waits
    uint8_t bytes[LDISC_BYTES];
    uint8_t ends[LDISC_BYTES / 8]; // this byte ends a line; a NUL that does is an end of file
};

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *owner);
void ldisc_input(struct ldisc *l, const uint8_t *bytes, size_t n);
// Processes output, as far as it goes: all of it.
void ldisc_output(struct ldisc *l, const char *bytes, size_t n);

bool ldisc_canonical(const struct ldisc *l);
// Bytes a reader can have now (an end of file counts as one).
uint32_t ldisc_available(const struct ldisc *l);
// Canonical: could a read return at once?
bool ldisc_line_ready(const struct ldisc *l);
// Moves input to a reader: in canonical mode up to and including the end of one line, nothing at an
// end of file; else what there is. Bytes that a short copy left stay.
void ldisc_read(struct ldisc *l, struct xfer *x);
void ldisc_set(struct ldisc *l, const struct linux_termios *t);
void ldisc_flush_input(struct ldisc *l);
