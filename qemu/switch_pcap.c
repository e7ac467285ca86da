// SPDX-License-Identifier: MIT
// A capture of every frame as its sender gave it to the switch, before faults.
#include "qemu/switch.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

struct pcap_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, frame_bytes_max, link_type;
} PACKED;

struct pcap_record {
    uint32_t seconds, nanoseconds, bytes_kept, bytes_seen;
} PACKED;

static FILE *capture;

int pcap_open(const char *path)
{
    struct pcap_head head = {0xa1b23c4d, 2, 4, 0, 0, SWITCH_FRAME_BYTES_MAX, 1};

    capture = fopen(path, "wb");
    if (!capture)
        return -errno;
    fwrite(&head, sizeof head, 1, capture);
    return fflush(capture) ? -errno : 0;
}

void pcap_frame(const uint8_t *data, size_t bytes)
{
    struct timespec t;

    if (!capture)
        return;
    clock_gettime(CLOCK_REALTIME, &t);
    struct pcap_record r = {(uint32_t)t.tv_sec, (uint32_t)t.tv_nsec, (uint32_t)bytes,
                            (uint32_t)bytes};
    fwrite(&r, sizeof r, 1, capture);
    fwrite(data, bytes, 1, capture);
}

void pcap_flush(void)
{
    if (capture)
        fflush(capture);
}
