// SPDX-License-Identifier: MIT
// What tests may ask of the ports beyond the headers that they implement.
#pragma once

#include "arch/x86/arch.h"
#include "lib/types.h"

void port_frames_limit(uint32_t count);   // 0: all
void port_frames_take(uint32_t count);    // somebody else has so many
void port_frames_reserve(uint32_t count); // of these, only for FRAME_CRITICAL
// In use by containers: those of packets and TCP's rings, which come and go, are not counted.
uint32_t port_frames_of_pages(void);
// Gives the node's table of frames back to the host; none may be in use.
void port_frames_forget(void);

// A user access of the loaded space, as the CPU does it: false is a page fault.
bool port_user_word(struct arch_space *s, uint32_t address, bool write, uint32_t *value);
bool port_user_touch(struct arch_space *s, uint32_t address, bool write, uint8_t *value);
