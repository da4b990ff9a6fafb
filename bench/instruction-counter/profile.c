/*
 * A QEMU TCG plugin (plugin API version 1, QEMU 7.2) that counts the instructions of each translated block and
 * writes `ADDRESS COUNT` lines, hexadecimal and decimal, to the file of its argument `out=` when QEMU ends.
 * The few declarations stand here because Debian ships no header for them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

enum { QEMU_PLUGIN_INLINE_ADD_U64 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation, void *pointer,
                                                     uint64_t immediate);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);

int qemu_plugin_version = 1;

/* Blocks are never freed: generated code adds to them until QEMU ends. */
struct block {
    struct block *next;
    uint64_t address;
    uint64_t executed;
};

static struct block *blocks;
static char *path;

/* QEMU translates with one thread at a time here: with -icount there is one thread for all vCPUs. */
static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    if (block == NULL)
        abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->executed,
                                             qemu_plugin_tb_n_insns(tb));
}

static void ended(plugin_id id, void *data)
{
    FILE *out = fopen(path, "w");
    (void)id;
    (void)data;
    if (out == NULL)
        return;
    for (struct block *block = blocks; block != NULL; block = block->next)
        if (block->executed != 0)
            fprintf(out, "%llx %llu\n", (unsigned long long)block->address, (unsigned long long)block->executed);
    fclose(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
        return 1;
    path = strdup(argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
