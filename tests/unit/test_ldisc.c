// SPDX-License-Identifier: MIT
// The line discipline: editing, echo, signals, modes, and arbitrary input in arbitrary modes.
// links: ssi/stream/ldisc.c mm/user.c mm/space*.c lib/string.c lib/log.c lib/fmt.c lib/radix.c
// links: tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/single.c
// links: tests/sim/ports/alone.c
#include "tests/unit/unit.h"
#include "lib/string.h"
#include "ssi/stream/ldisc.h"

static char shown[65536];
static size_t shown_bytes;
static int signals[8], signal_count;

static void output(void *owner, const char *bytes, size_t n)
{
    (void)owner;
    assert_true(shown_bytes + n < sizeof(shown));
    memcpy(shown + shown_bytes, bytes, n);
    shown_bytes += n;
    shown[shown_bytes] = '\0';
}

static void on_signal(void *owner, int signal)
{
    (void)owner;
    signals[signal_count++ % 8] = signal;
}

static const struct ldisc_ops ops = {output, on_signal};
static struct ldisc l;

static int fresh(void **state)
{
    (void)state;
    ldisc_init(&l, &ops, NULL);
    shown_bytes = 0;
    shown[0] = '\0';
    signal_count = 0;
    return 0;
}

static void type(const char *text)
{
    ldisc_input(&l, (const uint8_t *)text, strlen(text));
}

static size_t read_some(char *to, size_t n)
{
    struct xfer x;
    xfer_kernel(&x, to, n);
    ldisc_read(&l, &x);
    return x.done;
}

static void assert_read(size_t n, const char *want)
{
    char got[LDISC_BYTES + 1];
    size_t bytes = read_some(got, n);
    assert_int_equal(bytes, strlen(want));
    assert_memory_equal(got, want, bytes);
}

static void lines(void **state)
{
    (void)state;
    type("ab");
    assert_false(ldisc_line_ready(&l));
    type("c\rd\n");
    assert_true(ldisc_line_ready(&l));
    assert_read(2, "ab"); // a reader may take a line in pieces
    assert_read(100, "c\n");
    assert_read(100, "d\n");
    assert_false(ldisc_line_ready(&l));
    assert_string_equal(shown, "abc\r\nd\r\n");
}

static void editing(void **state)
{
    (void)state;
    type("abx\x7f"
         "c\n");
    assert_read(100, "abc\n");
    assert_string_equal(shown, "abx\b \bc\r\n");
    fresh(NULL);
    type("\x7f"); // nothing there: nothing happens
    assert_string_equal(shown, "");
    type("one two  \x17X\n"); // a word, with the blanks behind it
    assert_read(100, "one X\n");
    fresh(NULL);
    type("gone\x15kept\n");
    assert_read(100, "kept\n");
    assert_string_equal(shown, "gone\b \b\b \b\b \b\b \bkept\r\n");
    fresh(NULL);
    type("a\x16\x03"
         "b\n"); // literal: ^C is a byte of the line
    assert_read(100, "a\x03"
                     "b\n");
    assert_int_equal(signal_count, 0);
    fresh(NULL);
    type("\xc3\xa4\x7fz\n"); // one character of two bytes
    assert_read(100, "z\n");
    assert_string_equal(shown, "\xc3\xa4\b \bz\r\n");
    fresh(NULL);
    type("a\t\x7f\n"); // a tab is as wide as it was
    assert_string_equal(shown, "a\t\b \b\b \b\b \b\b \b\b \b\b \b\b \b\r\n");
    fresh(NULL);
    type("\x01\x7f\n"); // ^A takes two columns
    assert_string_equal(shown, "^A\b \b\b \b\r\n");
}

static void end_of_file(void **state)
{
    (void)state;
    type("\x04");
    assert_true(ldisc_line_ready(&l));
    assert_read(100, "");
    assert_false(ldisc_line_ready(&l));
    type("ab\x04"); // pushes what is there, and is no end of file
    assert_read(100, "ab");
    assert_false(ldisc_line_ready(&l));
    type("ab\x04");
    assert_read(2, "ab"); // also when the reader's size ends there
    assert_false(ldisc_line_ready(&l));
}

static void signalling(void **state)
{
    (void)state;
    type("abc\x03"
         "d\n");
    assert_int_equal(signal_count, 1);
    assert_int_equal(signals[0], 2);
    assert_read(100, "d\n"); // what was typed before it is gone
    assert_string_equal(shown, "abc^Cd\r\n");
    type("\x1c\x1a");
    assert_int_equal(signals[1], 3);
    assert_int_equal(signals[2], 20);
    l.termios.lflag &= ~(uint32_t)ISIG;
    type("\x03\n");
    assert_int_equal(signal_count, 3);
    assert_read(100, "\x03\n");
}

static void raw_mode(void **state)
{
    struct linux_termios t = l.termios;
    (void)state;
    type("half a line");
    t.lflag &= ~(uint32_t)(ICANON | ECHO | ISIG);
    t.iflag &= ~(uint32_t)(ICRNL | IXON);
    ldisc_set(&l, &t);
    assert_int_equal(ldisc_available(&l), 11); // what was being edited can be read now
    shown_bytes = 0;
    type("\r\x03\x7f\x13");
    assert_int_equal(shown_bytes, 0);
    assert_read(100, "half a line\r\x03\x7f\x13");
    assert_int_equal(signal_count, 0);
}

static void flow(void **state)
{
    (void)state;
    type("\x13");
    assert_true(l.stopped);
    type("\x11");
    assert_false(l.stopped);
    type("\x13");
    l.termios.iflag |= IXANY;
    type("x");
    assert_false(l.stopped);
}

static void output_modes(void **state)
{
    (void)state;
    ldisc_output(&l, "a\nb", 3);
    assert_string_equal(shown, "a\r\nb");
    fresh(NULL);
    l.termios.oflag |= XTABS;
    ldisc_output(&l, "ab\tc", 4);
    assert_string_equal(shown, "ab      c");
    fresh(NULL);
    l.termios.oflag = 0;
    ldisc_output(&l, "a\nb", 3);
    assert_string_equal(shown, "a\nb");
}

static void full_line(void **state)
{
    char big[LDISC_BYTES + 100], got[LDISC_BYTES + 100];
    (void)state;
    memset(big, 'x', sizeof(big));
    l.termios.lflag &= ~(uint32_t)ECHO;
    ldisc_input(&l, (const uint8_t *)big, sizeof(big));
    assert_false(ldisc_line_ready(&l));
    type("\n");
    assert_int_equal(read_some(got, sizeof(got)), LDISC_BYTES);
    assert_int_equal(got[LDISC_BYTES - 1], '\n');
    type("ok\n");
    assert_read(100, "ok\n");
}

// Whatever comes in whatever mode: positions stay in order, and reading drains what is there.
static void anything(void **state)
{
    uint32_t r = 1;
    (void)state;
    for (int k = 0; k < 200000; k++) {
        r = r * 1103515245 + 12345;
        uint8_t c = (uint8_t)(r >> 16);
        ldisc_input(&l, &c, 1);
        assert_true(l.line - l.head <= LDISC_BYTES && l.tail - l.line <= LDISC_BYTES);
        assert_true(l.tail - l.head <= LDISC_BYTES);
        if (r % 97 == 0) {
            char got[64];
            read_some(got, r % 64);
        }
        if (r % 1009 == 0) {
            struct linux_termios t = l.termios;
            t.lflag = r >> 3 & 0xffff;
            t.iflag = r >> 7 & 0xffff;
            t.oflag = r >> 5 & 0x1fff;
            ldisc_set(&l, &t);
        }
        shown_bytes = 0;
    }
    char got[LDISC_BYTES];
    for (int k = 0; k < 5000 && ldisc_available(&l); k++)
        read_some(got, sizeof(got));
    assert_int_equal(ldisc_available(&l), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines, fresh),        cmocka_unit_test_setup(editing, fresh),
        cmocka_unit_test_setup(end_of_file, fresh),  cmocka_unit_test_setup(signalling, fresh),
        cmocka_unit_test_setup(raw_mode, fresh),     cmocka_unit_test_setup(flow, fresh),
        cmocka_unit_test_setup(output_modes, fresh), cmocka_unit_test_setup(full_line, fresh),
        cmocka_unit_test_setup(anything, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
