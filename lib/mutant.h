// SPDX-License-Identifier: MIT
// Planted bugs, each numbered once (tests/explore/mutants.def), that the explorer must find. Only
// the explorer's mutant build knows them: everywhere else MUTANT(n) is a constant false and leaves
// no code behind.
#pragma once

#ifdef WEFT_MUTANTS
extern int mutant_planted; // the one at work, 0 for none
#define MUTANT(n) (mutant_planted == (n))
#else
#define MUTANT(n) false
#endif
