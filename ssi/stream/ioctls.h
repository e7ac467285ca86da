// SPDX-License-Identifier: MIT
// Numbers of ioctl(2) on i386, as ioctl_list(2) has them, and the structs they carry.
#pragma once

#include "lib/types.h"

#define TCGETS         0x5401u
#define TCSETS         0x5402u
#define TCSETSW        0x5403u
#define TCSETSF        0x5404u
#define TCGETA         0x5405u
#define TCSETA         0x5406u
#define TCSETAW        0x5407u
#define TCSETAF        0x5408u
#define TCSBRK         0x5409u
#define TCXONC         0x540au
#define TCFLSH         0x540bu
#define TIOCEXCL       0x540cu
#define TIOCNXCL       0x540du
#define TIOCSCTTY      0x540eu
#define TIOCGPGRP      0x540fu
#define TIOCSPGRP      0x5410u
#define TIOCOUTQ       0x5411u
#define TIOCGWINSZ     0x5413u
#define TIOCSWINSZ     0x5414u
#define FIONREAD       0x541bu
#define FIONBIO        0x5421u
#define TIOCNOTTY      0x5422u
#define TIOCGETD       0x5424u
#define TCSBRKP        0x5425u
#define TIOCGSID       0x5429u
#define TIOCPKT        0x5420u
#define TIOCGDEV       0x80045432u
#define TIOCGPTN       0x80045430u
#define TIOCSPTLCK     0x40045431u
#define TIOCGPTLCK     0x80045439u
#define TIOCGPKT       0x80045438u
#define TIOCSIG        0x40045436u
#define FIONCLEX       0x5450u
#define TIOCGLCKTRMIOS 0x5456u
#define TIOCSLCKTRMIOS 0x5457u
#define FIGETBSZ       2u
#define FIOCLEX        0x5451u
#define FIOASYNC       0x5452u

#define TERMIOS_CC 19

struct linux_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIOS_CC];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_termios) == 36, "termios of the ABI");

struct linux_termio { // of System V: TCGETA, TCSETA
    uint16_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[8];
    uint8_t reserved;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_termio) == 18, "termio of the ABI");

struct linux_winsize {
    uint16_t rows, columns, x_pixels, y_pixels;
} PACKED;
