// SPDX-License-Identifier: MIT
// What uname(2) and /proc/version say this system is. The release is that of a Linux whose calls
// programs may expect: C libraries refuse to run on older ones.
#pragma once

#define UNAME_SYSTEM  "Linux"
#define UNAME_RELEASE "6.1.0-weft"
#define UNAME_VERSION "#1 SMP Weft"
#define UNAME_MACHINE "i686"
#define UNAME_DOMAIN  "(none)"
