// SPDX-License-Identifier: MIT
// Terminals: a line discipline with the wait queues, window size and job control around it; and
// the node's console, which is one over COM1.
#include "ssi/stream/stream.h"
#include "kernel/console.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/owner.h"
#include "ssi/stream/pty.h"
#include "ssi/stream/tty_priv.h"

#define SIGWINCH 28

NODE_VAR(struct tty, console);
NODE_VAR(const struct tty_signals *, tty_signals);

void tty_signals_set(const struct tty_signals *s)
{
    node(tty_signals) = s;
}

const struct tty_signals *tty_signals_of_room(void)
{
    return node(tty_signals);
}

// ---- any terminal ------------------------------------------------------------------------------
static void ldisc_out(void *owner, const char *bytes, size_t n)
{
    struct tty *t = owner;
    t->device->output(t, bytes, n);
}

void tty_signal_foreground(struct tty *t, int signal)
{
    if (node(tty_signals) && t->foreground > 0)
        node(tty_signals)->group(t->foreground, signal);
}

static void ldisc_signal(void *owner, int signal)
{
    tty_signal_foreground(owner, signal);
}

static const struct ldisc_ops ldisc_ops = {.output = ldisc_out, .signal = ldisc_signal};

void tty_init(struct tty *t, uint32_t number, const struct tty_device *device)
{
    ldisc_init(&t->ldisc, &ldisc_ops, t);
    wait_init(&t->input);
    wait_init(&t->output);
    list_init(&t->async);
    t->number = number;
    t->device = device;
}

// Bytes that may be written now, whatever they become.
static size_t write_room(struct tty *t)
{
    if (t->ldisc.stopped)
        return 0;
    return t->device->room ? t->device->room(t) / OUTPUT_BYTE_MAX : SIZE_MAX;
}

void tty_output_goes_on(struct tty *t)
{
    wait_wake_all(&t->output);
    wait_tell(&t->input);
    if (t->wants_out && write_room(t) > 0) {
        t->wants_out = false;
        file_news(&t->async, NEWS_OUT);
    }
}

void tty_put_input(struct tty *t, const uint8_t *bytes, size_t n)
{
    bool stopped = t->ldisc.stopped;
    ldisc_input(&t->ldisc, bytes, n);
    wait_wake_all(&t->input);
    if (ldisc_canonical(&t->ldisc) ? ldisc_line_ready(&t->ldisc) : ldisc_available(&t->ldisc) > 0)
        file_news(&t->async, NEWS_IN);
    if (stopped != t->ldisc.stopped && t->device->flow)
        t->device->flow(t, t->ldisc.stopped);
    if (!t->ldisc.stopped)
        tty_output_goes_on(t);
}

void tty_hang_up(struct tty *t)
{
    int32_t session = t->session, foreground = t->foreground;
    t->hung_up = true;
    t->session = t->foreground = 0;
    wait_wake_all(&t->input);
    tty_output_goes_on(t);
    if (node(tty_signals) && session)
        node(tty_signals)->hung_up(t->number, session, foreground);
}

// ---- the console -------------------------------------------------------------------------------
static void console_output(struct tty *t, const char *bytes, size_t n)
{
    (void)t;
    console_write(bytes, n);
}

static size_t console_output_room(struct tty *t)
{
    (void)t;
    return console_room();
}

static const struct tty_device console_device = {
    .output = console_output,
    .room = console_output_room,
};

struct tty *tty_console(void)
{
    struct tty *t = &node(console);
    if (t->device == NULL) {
        tty_init(t, TTY_CONSOLE, &console_device);
        t->window = (struct linux_winsize){.rows = 24, .columns = 80};
    }
    return t;
}

static void console_input(const uint8_t *bytes, size_t n)
{
    tty_put_input(tty_console(), bytes, n);
}

static void console_has_room(void)
{
    tty_output_goes_on(tty_console());
}

static const struct console_client client = {.input = console_input, .room = console_has_room};

// May the caller use the terminal now? 0, -EIO, -EINTR: it was sent a signal.
static int background(const struct tty *t, bool reading)
{
    if (node(tty_signals) == NULL || t->session == 0)
        return 0;
    int e = node(tty_signals)->background(t->number, t->foreground, reading);
    return e == 0 || e == -EIO ? e : -EINTR;
}

// ---- reading -----------------------------------------------------------------------------------
static bool read_ready(const struct ldisc *l, size_t want)
{
    uint32_t min = l->termios.cc[VMIN], n = ldisc_available(l);
    if (ldisc_canonical(l))
        return ldisc_line_ready(l);
    return n > 0 && n >= MIN(min, want);
}

// Waits for what the mode asks for. 0: read what there is now.
static int read_wait(struct tty *t, size_t want)
{
    const struct ldisc *l = &t->ldisc;
    uint64_t first = clock_now_ns();
    while (!read_ready(l, want) && !t->hung_up) {
        uint32_t n = ldisc_available(l), tenths = l->termios.cc[VTIME];
        bool raw = !ldisc_canonical(l), timed = raw && tenths > 0;
        if (raw && l->termios.cc[VMIN] == 0 && tenths == 0)
            return 0;
        // With MIN the time runs between bytes, from the first on; without it from the call on.
        uint64_t from = l->termios.cc[VMIN] ? clock_now_ns() : first, until = WAIT_FOREVER;
        if (timed && (l->termios.cc[VMIN] == 0 || n > 0))
            until = from + (uint64_t)tenths * 100 * NS_PER_MS;
        int e = wait_sleep(&t->input, until, WAIT_INTERRUPTIBLE);
        if (e == -ETIMEDOUT)
            return 0;
        if (e < 0)
            return e;
        if (background(t, true) < 0)
            return -EINTR;
    }
    return 0;
}

int tty_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct tty *t = f->data;
    (void)at;
    int e = background(t, true);
    if (e < 0)
        return e;
    if (x->left == 0 || t->hung_up)
        return 0;
    bool raw = !ldisc_canonical(&t->ldisc);
    if (!read_ready(&t->ldisc, raw ? 1 : x->left)) {
        if ((f->flags & O_NONBLOCK) && !(raw && t->ldisc.termios.cc[VMIN] == 0))
            return -EAGAIN;
    }
    if (!(f->flags & O_NONBLOCK) && (e = read_wait(t, x->left)) < 0)
        return e;
    ldisc_read(&t->ldisc, x);
    if (t->device->taken)
        t->device->taken(t);
    return 0;
}

// ---- writing -----------------------------------------------------------------------------------
int tty_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct tty *t = f->data;
    char chunk[256];
    size_t before = x->done;
    (void)at;
    int e = t->ldisc.termios.lflag & TOSTOP ? background(t, false) : 0;
    if (e < 0)
        return e;
    while (x->left > 0) {
        size_t room;
        while ((room = write_room(t)) == 0 && !t->hung_up) {
            t->wants_out = true;
            e = f->flags & O_NONBLOCK ? -EAGAIN
                                      : wait_sleep(&t->output, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            if (e < 0)
                return x->done > before ? 0 : e;
        }
        if (t->hung_up)
            return x->done > before ? 0 : -EIO;
        size_t n = xfer_take(x, chunk, MIN(MIN(x->left, sizeof(chunk)), room));
        if (n == 0)
            break;
        ldisc_output(&t->ldisc, chunk, n);
    }
    return 0;
}

// ---- ioctl -------------------------------------------------------------------------------------
static uint32_t mixed(uint32_t wanted, uint32_t was, uint32_t locked)
{
    return (wanted & ~locked) | (was & locked);
}

// TIOCSLCKTRMIOS of ioctl_tty(2).
static struct linux_termios unlocked(const struct tty *t, const struct linux_termios *wanted)
{
    const struct linux_termios *was = &t->ldisc.termios, *locked = &t->locked;
    struct linux_termios m = {
        .iflag = mixed(wanted->iflag, was->iflag, locked->iflag),
        .oflag = mixed(wanted->oflag, was->oflag, locked->oflag),
        .cflag = mixed(wanted->cflag, was->cflag, locked->cflag),
        .lflag = mixed(wanted->lflag, was->lflag, locked->lflag),
        .line = locked->line ? was->line : wanted->line,
    };
    for (unsigned k = 0; k < TERMIOS_CC; k++)
        m.cc[k] = locked->cc[k] ? was->cc[k] : wanted->cc[k];
    return m;
}

static long set_termios(struct tty *t, const struct linux_termios *termios, bool flush)
{
    struct linux_termios was = t->ldisc.termios, now = unlocked(t, termios);
    if (flush)
        ldisc_flush_input(&t->ldisc);
    ldisc_set(&t->ldisc, &now);
    if (t->device->modes)
        t->device->modes(t, &was);
    wait_wake_all(&t->input);
    tty_output_goes_on(t);
    return 0;
}

// The termio of System V has the lower halves and the first characters of a termios.
static long set_termio(struct tty *t, const struct linux_termio *old, bool flush)
{
    struct linux_termios termios = t->ldisc.termios;
    termios.iflag = (termios.iflag & ~0xffffu) | old->iflag;
    termios.oflag = (termios.oflag & ~0xffffu) | old->oflag;
    termios.cflag = (termios.cflag & ~0xffffu) | old->cflag;
    termios.lflag = (termios.lflag & ~0xffffu) | old->lflag;
    termios.line = old->line;
    memcpy(termios.cc, old->cc, sizeof(old->cc));
    return set_termios(t, &termios, flush);
}

static struct linux_termio termio_of(const struct linux_termios *termios)
{
    struct linux_termio old = {.iflag = (uint16_t)termios->iflag,
                               .oflag = (uint16_t)termios->oflag,
                               .cflag = (uint16_t)termios->cflag,
                               .lflag = (uint16_t)termios->lflag,
                               .line = termios->line};
    memcpy(old.cc, termios->cc, sizeof(old.cc));
    return old;
}

static long give(void *data, size_t out_size, const void *from, size_t n)
{
    if (out_size < n)
        return -EINVAL;
    memcpy(data, from, n);
    return 0;
}

static long set_window(struct tty *t, const void *data, size_t n)
{
    struct linux_winsize w;
    if (n < sizeof(w))
        return -EINVAL;
    memcpy(&w, data, sizeof(w));
    bool same = memcmp(&w, &t->window, sizeof(w)) == 0;
    t->window = w;
    if (!same)
        tty_signal_foreground(t, SIGWINCH);
    return 0;
}

static long flow(struct tty *t, uint32_t what)
{
    if (what > 3)
        return -EINVAL;
    if (what < 2) { // TCOOFF, TCOON
        t->ldisc.stopped = what == 0;
        if (t->device->flow)
            t->device->flow(t, what == 0);
    }
    if (!t->ldisc.stopped)
        tty_output_goes_on(t);
    return 0;
}

static long flush(struct tty *t, uint32_t what)
{
    if (what > 2)
        return -EINVAL;
    if (what != 1) // TCIFLUSH, TCIOFLUSH
        ldisc_flush_input(&t->ldisc);
    if (t->device->flushed)
        t->device->flushed(t, what != 1, what != 0);
    return 0;
}

long tty_request(struct tty *t, uint32_t request, void *data, size_t in_bytes, size_t out_size)
{
    struct linux_termio old;
    int32_t value = 0;
    if (in_bytes >= sizeof(value))
        memcpy(&value, data, sizeof(value));
    switch (request) {
    case TCGETS:
        return give(data, out_size, &t->ldisc.termios, sizeof(t->ldisc.termios));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return in_bytes < sizeof(struct linux_termios) ? -EINVAL
                                                       : set_termios(t, data, request == TCSETSF);
    case TIOCGLCKTRMIOS:
        return give(data, out_size, &t->locked, sizeof(t->locked));
    case TIOCSLCKTRMIOS: // ssi/linux has checked who asks
        if (in_bytes < sizeof(t->locked))
            return -EINVAL;
        memcpy(&t->locked, data, sizeof(t->locked));
        return 0;
    case TCGETA:
        old = termio_of(&t->ldisc.termios);
        return give(data, out_size, &old, sizeof(old));
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
        return in_bytes < sizeof(old) ? -EINVAL : set_termio(t, data, request == TCSETAF);
    case TIOCGWINSZ:
        return give(data, out_size, &t->window, sizeof(t->window));
    case TIOCSWINSZ:
        return set_window(t, data, in_bytes);
    case TIOCGPGRP:
        return give(data, out_size, &t->foreground, sizeof(t->foreground));
    case TIOCGSID:
        return give(data, out_size, &t->session, sizeof(t->session));
    case TIOCSPGRP: // ssi/linux has checked the ids
        t->foreground = value;
        return 0;
    case TIOCSCTTY: // the value is the session of the caller
        t->session = t->foreground = value;
        return 0;
    case TIOCNOTTY:
        if (t->session == value)
            t->session = t->foreground = 0;
        return 0;
    case FIONREAD:
        value = (int32_t)ldisc_available(&t->ldisc);
        return give(data, out_size, &value, sizeof(value));
    case TIOCOUTQ:
    case TIOCGETD:
        value = 0;
        return give(data, out_size, &value, sizeof(value));
    case TCFLSH:
        return flush(t, (uint32_t)value);
    case TCXONC:
        return flow(t, (uint32_t)value);
    case TIOCGDEV:
        value = (int32_t)tty_device_number(t->number);
        return give(data, out_size, &value, sizeof(value));
    case TCSBRK:
    case TCSBRKP:
    case TIOCEXCL:
    case TIOCNXCL:
        return 0;
    }
    return -ENOTTY;
}

// What changes the terminal is for the foreground (termios(3)).
static bool changes(uint32_t request)
{
    switch (request) {
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
    case TIOCSPGRP:
    case TCFLSH:
    case TCXONC:
    case TCSBRK:
    case TCSBRKP:
        return true;
    }
    return false;
}

long tty_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes, size_t out_size)
{
    struct tty *t = f->data;
    int e = t->hung_up ? -EIO : changes(request) ? background(t, false) : 0;
    return e < 0 ? e : tty_request(t, request, data, in_bytes, out_size);
}

// ---- the rest ----------------------------------------------------------------------------------
unsigned tty_poll(struct file *f)
{
    const struct tty *t = f->data;
    const struct linux_termios *m = &t->ldisc.termios;
    uint32_t want = m->cc[VTIME] == 0 && m->cc[VMIN] ? m->cc[VMIN] : 1;
    unsigned now = write_room(f->data) ? POLL_OUT : 0;
    if (t->hung_up)
        return POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP;
    if (ldisc_canonical(&t->ldisc) ? ldisc_line_ready(&t->ldisc)
                                   : ldisc_available(&t->ldisc) >= want)
        now |= POLL_IN;
    return now;
}

struct wait_queue *tty_poll_queue(struct file *f)
{
    struct tty *t = f->data;
    return &t->input;
}

struct list *tty_async(struct file *f)
{
    struct tty *t = f->data;
    return &t->async;
}

static const struct file_ops console_ops = {
    .name = "tty",
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .poll_queue = tty_poll_queue,
    .async = tty_async,
};

struct file *tty_open(struct tty *t, uint32_t flags)
{
    uint32_t kept = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    struct file *f = file_new(&console_ops, kept, t);
    if (f)
        f->place = device_place("console");
    return f;
}

struct tty *tty_find(uint32_t number)
{
    return number == TTY_CONSOLE ? tty_console() : pty_slave(number - 1);
}

uint32_t tty_device_number(uint32_t number)
{
    uint64_t n =
        number == TTY_CONSOLE ? fs_device_number(4, 64) : fs_device_number(PTS_MAJOR, number - 1);
    return (uint32_t)n;
}

int32_t tty_foreground(const struct tty *t)
{
    return t->foreground;
}

void tty_set_foreground(struct tty *t, int32_t pgrp)
{
    t->foreground = pgrp;
}

int32_t tty_session(const struct tty *t)
{
    return t->session;
}

void tty_set_session(struct tty *t, int32_t sid)
{
    t->session = sid;
}

static void tty_start(void)
{
    tty_console();
    console_listen(&client);
}
INIT_STEP(INIT_FILES, tty_start);
