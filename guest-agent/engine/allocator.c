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
/*
 * Larger pieces, header included, come from the C library; they are buffers that come and go whole. A few of each
 * number of pages are kept: those of output come again with every piece that a process writes, and pages that went
 * back to the kernel cost more than all else that is done with them.
 */
#define LARGEST 2048
#define BLOCK (64 * 1024)
#define PAGE 4096
#define LARGEST_KEPT (160 * 1024)
#define MOST_KEPT 16

/* Before each piece: its whole size, a multiple of GRAIN up to LARGEST, or anything above. */
struct header {
    size_t size;
};

struct piece {
    struct header header;
    struct piece *next;
};

static struct piece *free_pieces[LARGEST / GRAIN + 1];
static struct piece *kept_pages[LARGEST_KEPT / PAGE + 1];
static unsigned char kept_count[LARGEST_KEPT / PAGE + 1];
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

/* What a piece takes, header included; 0 for what is too much. */
static size_t whole_size(size_t wanted)
{
    size_t size = wanted + sizeof(struct header);
    size_t grain = size > LARGEST ? PAGE : GRAIN;

    return size < wanted || size + grain < size ? 0 : (size + grain - 1) & ~(grain - 1);
}

static struct piece *take_pages(size_t size)
{
    struct piece *piece = size <= LARGEST_KEPT ? kept_pages[size / PAGE] : NULL;

    if (!piece)
        return malloc(size);
    kept_pages[size / PAGE] = piece->next;
    kept_count[size / PAGE]--;
    return piece;
}

static void give_pages(struct piece *piece, size_t size)
{
    if (size > LARGEST_KEPT || kept_count[size / PAGE] == MOST_KEPT) {
        free(piece);
        return;
    }
    piece->next = kept_pages[size / PAGE];
    kept_pages[size / PAGE] = piece;
    kept_count[size / PAGE]++;
}

static void *allocate(JSMallocState *state, size_t wanted)
{
    size_t size = whole_size(wanted);
    struct piece *piece;

    if (size == 0 || state->malloc_size + size > state->malloc_limit)
        return NULL;
    if (size > LARGEST)
        piece = take_pages(size);
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
        give_pages(piece, size);
    } else {
        piece->next = free_pieces[size / GRAIN];
        free_pieces[size / GRAIN] = piece;
    }
}

/* The C library may find room behind the piece, or move its pages. */
static void *resize_large(JSMallocState *state, void *memory, size_t held, size_t wanted)
{
    size_t size = whole_size(wanted);
    struct header *header = (struct header *)memory - 1;

    if (size == 0 || (wanted > held && state->malloc_size + (wanted - held) > state->malloc_limit))
        return NULL;
    if (size == header->size)
        return memory;
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
