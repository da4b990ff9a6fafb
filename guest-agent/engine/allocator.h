#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include "quickjs.h"

extern const JSMallocFunctions allocator_functions;

#endif
