/*
 * Memory for QuickJS: free lists by size, refilled from blocks that are never given back.
 *
 * The interpreter asks for hundreds of small pieces for each request that it serves, and for the size of each.
 * There is one thread and no hostile user of the heap, so a list head a size is all the bookkeeping there is.
 */
#include "allocator.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN 16
/* Larger pieces, header included, come from the C library; they are buffers that come and go whole. */
#define LARGEST 2048
#define BLOCK (64 * 1024)

/* Before each piece: its whole size, a multiple of GRAIN up to LARGEST, or anything above. */
struct header {
    size_t size;
};

struct piece {
    struct header header;
    struct piece *next;
};

static struct piece *free_pieces[LARGEST / GRAIN + 1];
static char *block, *block_end;

static size_t usable_size(const void *memory)
{
    return ((const struct header *)memory)[-1].size - sizeof(struct header);
}

static void *from_block(size_t size)
{
    char *piece;

    if ((size_t)(block_end - block) < size) {
        /* What is left of the old block is lost: less than a piece of LARGEST. */
        block = malloc(BLOCK);
        if (!block) {
            block_end = NULL;
            return NULL;
        }
        block_end = block + BLOCK;
    }
    piece = block;
    block += size;
    return piece;
}

static void *allocate(JSMallocState *state, size_t wanted)
{
    size_t size = (wanted + sizeof(struct header) + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    struct piece *piece;

    if (size < wanted || state->malloc_size + size > state->malloc_limit)
        return NULL;
    if (size > LARGEST)
        piece = malloc(size);
    else if ((piece = free_pieces[size / GRAIN]))
        free_pieces[size / GRAIN] = piece->next;
    else
        piece = from_block(size);
    if (!piece)
        return NULL;
    piece->header.size = size;
    state->malloc_count++;
    state->malloc_size += size;
    return &piece->header + 1;
}

static void release(JSMallocState *state, void *memory)
{
    struct piece *piece = (struct piece *)((struct header *)memory - 1);
    size_t size;

    if (!memory)
        return;
    size = piece->header.size;
    state->malloc_count--;
    state->malloc_size -= size;
    if (size > LARGEST) {
        free(piece);
    } else {
        piece->next = free_pieces[size / GRAIN];
        free_pieces[size / GRAIN] = piece;
    }
}

/* The C library may find room behind the piece, or move its pages. */
static void *resize_large(JSMallocState *state, void *memory, size_t held, size_t wanted)
{
    size_t size = wanted + sizeof(struct header);
    struct header *header = (struct header *)memory - 1;

    if (wanted > held && state->malloc_size + (wanted - held) > state->malloc_limit)
        return NULL;
    header = realloc(header, size);
    if (!header)
        return NULL;
    state->malloc_size += size - header->size;
    header->size = size;
    return header + 1;
}

static void *reallocate(JSMallocState *state, void *memory, size_t wanted)
{
    size_t held = memory ? usable_size(memory) : 0;
    void *larger;

    if (!memory)
        return wanted ? allocate(state, wanted) : NULL;
    if (wanted == 0) {
        release(state, memory);
        return NULL;
    }
    if (wanted <= held && held - wanted < GRAIN)
        return memory;
    if (held > LARGEST && wanted > LARGEST)
        return resize_large(state, memory, held, wanted);
    larger = allocate(state, wanted);
    if (larger) {
        memcpy(larger, memory, wanted < held ? wanted : held);
        release(state, memory);
    }
    return larger;
}

const JSMallocFunctions allocator_functions = { allocate, release, reallocate, usable_size };
