// SPDX-License-Identifier: MIT
#include "ssi/stream/ldisc.h"
#include "lib/string.h"

enum {
    KEY_SIGINT = 2,
    KEY_SIGQUIT = 3,
    KEY_SIGTSTP = 20
};

static bool on(uint32_t flags, uint32_t bit)
{
    return (flags & bit) != 0;
}

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *owner)
{
    static const struct linux_termios sane = {
        .iflag = ICRNL | IXON | IUTF8,
        .oflag = OPOST | ONLCR,
        .cflag = 0x18b2, // B115200 CS8 CREAD CLOCAL
        .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .cc = {[VINTR] = 3,
               [VQUIT] = 28,
               [VERASE] = 127,
               [VKILL] = 21,
               [VEOF] = 4,
               [VMIN] = 1,
               [VSTART] = 17,
               [VSTOP] = 19,
               [VSUSP] = 26,
               [VREPRINT] = 18,
               [VDISCARD] = 15,
               [VWERASE] = 23,
               [VLNEXT] = 22},
    };
    memset(l, 0, sizeof(*l));
    l->ops = ops;
    l->owner = owner;
    l->termios = sane;
}

bool ldisc_canonical(const struct ldisc *l)
{
    return on(l->termios.lflag, ICANON);
}

// ---- output ------------------------------------------------------------------------------------
static void column_after(struct ldisc *l, uint8_t c)
{
    if (c == '\r')
        l->column = 0;
    else if (c == '\b')
        l->column -= l->column > 0;
    else if (c == '\t')
        l->column = (l->column | 7) + 1;
    else if (c >= 0x20 && c != 0x7f && !(on(l->termios.iflag, IUTF8) && (c & 0xc0) == 0x80))
        l->column++;
}

// One byte after output processing: at most 8 bytes at `to`.
static size_t output_byte(struct ldisc *l, char c, char *to)
{
    uint32_t o = l->termios.oflag;
    size_t n = 0;
    if (c == '\n' && on(o, ONLCR)) {
        to[n++] = '\r';
        l->column = 0;
    } else if (c == '\n' && on(o, ONLRET)) {
        l->column = 0;
    } else if (c == '\r' && on(o, ONOCR) && l->column == 0) {
        return 0;
    } else if (c == '\r' && on(o, OCRNL)) {
        c = '\n';
    } else if (c == '\t' && (o & XTABS) == XTABS) {
        do {
            to[n++] = ' ';
            l->column++;
        } while (l->column % 8);
        return n;
    }
    column_after(l, (uint8_t)c);
    to[n++] = c;
    return n;
}

void ldisc_output(struct ldisc *l, const char *bytes, size_t n)
{
    char chunk[128];
    size_t used = 0;
    if (!on(l->termios.oflag, OPOST)) {
        l->ops->output(l->owner, bytes, n);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        used += output_byte(l, bytes[k], chunk + used);
        if (used > sizeof(chunk) - 8) {
            l->ops->output(l->owner, chunk, used);
            used = 0;
        }
    }
    if (used)
        l->ops->output(l->owner, chunk, used);
}

// ---- echo --------------------------------------------------------------------------------------
static bool shown_as_control(const struct ldisc *l, uint8_t c)
{
    return on(l->termios.lflag, ECHOCTL) && ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f);
}

static void echo(struct ldisc *l, uint8_t c)
{
    char text[2] = {'^', (char)(c ^ 0x40)};
    if (!on(l->termios.lflag, ECHO) && !(c == '\n' && on(l->termios.lflag, ECHONL)))
        return;
    if (shown_as_control(l, c))
        ldisc_output(l, text, 2);
    else
        ldisc_output(l, (const char *)&c, 1);
}

// ---- input ring --------------------------------------------------------------------------------
static bool end_at(const struct ldisc *l, uint32_t pos)
{
    pos %= LDISC_BYTES;
    return l->ends[pos / 8] >> pos % 8 & 1;
}

static bool eof_at(const struct ldisc *l, uint32_t pos)
{
    return end_at(l, pos) && l->bytes[pos % LDISC_BYTES] == 0;
}

static bool store(struct ldisc *l, uint8_t c, bool end)
{
    uint32_t room = LDISC_BYTES - (l->tail - l->head), pos = l->tail % LDISC_BYTES;
    // In canonical mode the last place is kept for the end of the line.
    if (room == 0 || (room == 1 && ldisc_canonical(l) && !end)) {
        if (on(l->termios.iflag, IMAXBEL))
            l->ops->output(l->owner, "\a", 1);
        return false;
    }
    if (l->tail == l->line)
        l->line_column = l->column;
    l->bytes[pos] = c;
    l->ends[pos / 8] &= (uint8_t) ~(1u << pos % 8);
    if (end)
        l->ends[pos / 8] |= (uint8_t)(1u << pos % 8);
    l->tail++;
    if (end || !ldisc_canonical(l))
        l->line = l->tail;
    return true;
}

void ldisc_flush_input(struct ldisc *l)
{
    l->head = l->line = l->tail;
}

uint32_t ldisc_available(const struct ldisc *l)
{
    return l->line - l->head;
}

bool ldisc_line_ready(const struct ldisc *l)
{
    return l->line != l->head;
}

void ldisc_read(struct ldisc *l, struct xfer *x)
{
    bool lines = ldisc_canonical(l), some = false;
    while (x->left > 0 && l->head != l->line) {
        if (lines && eof_at(l, l->head)) {
            l->head++;
            return;
        }
        uint32_t from = l->head % LDISC_BYTES, n = 0;
        uint32_t max = MIN(l->line - l->head, LDISC_BYTES - from);
        bool end = false;
        while (lines && n < MIN(max, x->left) && !end && !eof_at(l, l->head + n))
            end = end_at(l, l->head + n++);
        if (!lines)
            n = (uint32_t)MIN(max, x->left);
        size_t put = xfer_put(x, l->bytes + from, n);
        l->head += (uint32_t)put;
        some = true;
        if (put < n || end)
            return;
    }
    if (lines && some && l->head != l->line && eof_at(l, l->head))
        l->head++; // the end of file that pushed this piece
}

void ldisc_set(struct ldisc *l, const struct linux_termios *t)
{
    bool was = ldisc_canonical(l);
    l->termios = *t;
    if (was != ldisc_canonical(l))
        l->line = l->tail; // what is there can be read in either mode
    if (!on(t->iflag, IXON))
        l->stopped = false;
}

// ---- editing a line ----------------------------------------------------------------------------
// Start of the character that ends at l->tail.
static uint32_t last_character(const struct ldisc *l)
{
    uint32_t at = l->tail - 1;
    if (on(l->termios.iflag, IUTF8))
        while (at != l->line && (l->bytes[at % LDISC_BYTES] & 0xc0) == 0x80)
            at--;
    return at;
}

static unsigned width_of(const struct ldisc *l, uint8_t c, unsigned column)
{
    if (c == '\t')
        return ((column | 7) + 1) - column;
    if (shown_as_control(l, c))
        return 2;
    if (c < 0x20 || c == 0x7f || (on(l->termios.iflag, IUTF8) && (c & 0xc0) == 0x80))
        return 0;
    return 1;
}

static unsigned column_at(const struct ldisc *l, uint32_t pos)
{
    unsigned column = l->line_column;
    for (uint32_t k = l->line; k != pos; k++)
        column += width_of(l, l->bytes[k % LDISC_BYTES], column);
    return column;
}

static void erase_one(struct ldisc *l)
{
    uint32_t at = last_character(l);
    unsigned columns = width_of(l, l->bytes[at % LDISC_BYTES], column_at(l, at));
    l->tail = at;
    if (!on(l->termios.lflag, ECHO))
        return;
    for (; columns > 0; columns--)
        ldisc_output(l, "\b \b", 3);
}

static bool word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void erase_word(struct ldisc *l)
{
    bool seen = false;
    while (l->tail != l->line) {
        bool word = word_byte(l->bytes[(l->tail - 1) % LDISC_BYTES]);
        if (seen && !word)
            return;
        seen |= word;
        erase_one(l);
    }
}

static void kill_line(struct ldisc *l, uint8_t c)
{
    uint32_t how = l->termios.lflag;
    if (!on(how, ECHO) || (on(how, ECHOE) && on(how, ECHOKE))) {
        while (l->tail != l->line)
            erase_one(l);
        return;
    }
    l->tail = l->line;
    echo(l, c);
    if (on(how, ECHOK))
        echo(l, '\n');
}

static void reprint(struct ldisc *l, uint8_t c)
{
    echo(l, c);
    echo(l, '\n');
    l->line_column = l->column;
    for (uint32_t k = l->line; k != l->tail; k++)
        echo(l, l->bytes[k % LDISC_BYTES]);
}

// ---- input -------------------------------------------------------------------------------------
static bool is(const struct ldisc *l, uint8_t c, unsigned which)
{
    return l->termios.cc[which] != 0 && c == l->termios.cc[which];
}

static bool input_flow(struct ldisc *l, uint8_t c)
{
    if (!on(l->termios.iflag, IXON))
        return false;
    bool start = is(l, c, VSTART), stop = is(l, c, VSTOP);
    if (stop)
        l->stopped = true;
    else if (start || (l->stopped && on(l->termios.iflag, IXANY)))
        l->stopped = false;
    return start || stop;
}

static bool input_signal(struct ldisc *l, uint8_t c)
{
    int signal = 0;
    if (!on(l->termios.lflag, ISIG))
        return false;
    if (is(l, c, VINTR))
        signal = KEY_SIGINT;
    else if (is(l, c, VQUIT))
        signal = KEY_SIGQUIT;
    else if (is(l, c, VSUSP))
        signal = KEY_SIGTSTP;
    if (signal == 0)
        return false;
    if (!on(l->termios.lflag, NOFLSH))
        ldisc_flush_input(l);
    l->stopped = false;
    echo(l, c);
    l->ops->signal(l->owner, signal);
    return true;
}

static bool input_edit(struct ldisc *l, uint8_t c)
{
    bool extended = on(l->termios.lflag, IEXTEN);
    bool erase = is(l, c, VERASE), kill = is(l, c, VKILL);
    bool word = extended && is(l, c, VWERASE);
    if (erase || kill || word) {
        if (l->tail == l->line)
            return true;
        if (erase && (on(l->termios.lflag, ECHOE) || !on(l->termios.lflag, ECHO))) {
            erase_one(l);
        } else if (erase) {
            l->tail = last_character(l);
            echo(l, c);
        } else if (word) {
            erase_word(l);
        } else {
            kill_line(l, c);
        }
        return true;
    }
    if (extended && is(l, c, VLNEXT)) {
        l->literal = true;
        if (on(l->termios.lflag, ECHO) && on(l->termios.lflag, ECHOCTL))
            ldisc_output(l, "^\b", 2);
        return true;
    }
    if (extended && is(l, c, VREPRINT) && on(l->termios.lflag, ECHO)) {
        reprint(l, c);
        return true;
    }
    return false;
}

static void input_plain(struct ldisc *l, uint8_t c)
{
    bool end = ldisc_canonical(l) &&
               (c == '\n' || is(l, c, VEOL) || (on(l->termios.lflag, IEXTEN) && is(l, c, VEOL2)));
    if (store(l, c, end))
        echo(l, c);
}

static void input_byte(struct ldisc *l, uint8_t c)
{
    uint32_t i = l->termios.iflag;
    if (on(i, ISTRIP))
        c &= 0x7f;
    if (l->literal) {
        l->literal = false;
        if (store(l, c, false))
            echo(l, c);
        return;
    }
    if (input_flow(l, c) || input_signal(l, c))
        return;
    if (c == '\r' && on(i, IGNCR))
        return;
    if (c == '\r' && on(i, ICRNL))
        c = '\n';
    else if (c == '\n' && on(i, INLCR))
        c = '\r';
    if (on(i, IUCLC) && on(l->termios.lflag, IEXTEN) && c >= 'A' && c <= 'Z')
        c += 'a' - 'A';
    if (ldisc_canonical(l) && input_edit(l, c))
        return;
    if (ldisc_canonical(l) && is(l, c, VEOF))
        store(l, 0, true);
    else
        input_plain(l, c);
}

void ldisc_input(struct ldisc *l, const uint8_t *bytes, size_t n)
{
    for (size_t k = 0; k < n; k++)
        input_byte(l, bytes[k]);
}
