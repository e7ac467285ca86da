// SPDX-License-Identifier: MIT
// Planted bugs, each numbered once, that the explorer must find (`make explore-mutants`). In every
// other build MUTANT(n) is a constant false and leaves no code behind.
#pragma once

#ifdef WEFT_MUTANT
#define MUTANT(n) (WEFT_MUTANT == (n))
#else
#define MUTANT(n) false
#endif
