/*
 * The agent's only C: runs one QuickJS bytecode program and gives it raw system calls.
 *
 * The program finds a global object `engine` (declared in ../syscalls/engine.ts). There are no other modules: what a
 * file or a namespace is, the TypeScript knows. The process has one thread, so a program may fork and carry on in
 * the child.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator.h"
#include "quickjs.h"

/* The program, put in by the linker (bytecode.S). */
extern const uint8_t agent_bytecode[];
extern const uint8_t agent_bytecode_end[];

#define MAX_ARGUMENTS 6
/* Exit code of a program that threw; a PID 1 that exits makes the kernel panic, with this code on the console. */
#define EXIT_UNCAUGHT 70
/* Cycles are rare in the agent: reference counts free nearly all, the collector need not run during the start. */
#define GC_THRESHOLD (1024 * 1024)

/* What a call's arguments own until it is over: at most one allocation each. */
struct arguments {
    long value[MAX_ARGUMENTS];
    void *owned[MAX_ARGUMENTS];
};

static long raw_syscall(long number, const long *a)
{
    long result;
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/*
 * Bytes of a string, followed by NUL, owned by the caller. QuickJS writes a lone surrogate as three bytes;
 * U+DC80 to U+DCFF stand for one byte that is not part of valid UTF-8 (see decode).
 */
static uint8_t *string_bytes(JSContext *ctx, JSValueConst value, size_t *length)
{
    size_t size, from, to = 0;
    const char *text = JS_ToCStringLen(ctx, &size, value);
    uint8_t *bytes;

    if (!text)
        return NULL;
    bytes = js_malloc(ctx, size + 1);
    if (bytes) {
        const uint8_t *t = (const uint8_t *)text;
        for (from = 0; from < size; to++) {
            if (t[from] == 0xed && (t[from + 1] == 0xb2 || t[from + 1] == 0xb3)) {
                bytes[to] = (uint8_t)((t[from + 1] << 6) | (t[from + 2] & 0x3f));
                from += 3;
            } else {
                bytes[to] = t[from++];
            }
        }
        bytes[to] = 0;
        *length = to;
    }
    JS_FreeCString(ctx, text);
    return bytes;
}

/* As string_bytes, for the kernel, which would take a NUL within for the end of the string. */
static uint8_t *c_string(JSContext *ctx, JSValueConst value)
{
    size_t length;
    uint8_t *bytes = string_bytes(ctx, value, &length);

    if (bytes && memchr(bytes, 0, length)) {
        js_free(ctx, bytes);
        JS_ThrowTypeError(ctx, "string with a NUL character");
        return NULL;
    }
    return bytes;
}

/* Memory of a Uint8Array or any other view; valid as long as the view is reachable. NULL with an exception. */
static uint8_t *view_memory(JSContext *ctx, JSValueConst value, size_t *length)
{
    size_t offset, size;
    uint8_t *memory;
    JSValue buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, length, NULL);

    if (JS_IsException(buffer))
        return NULL;
    memory = JS_GetArrayBuffer(ctx, &size, buffer);
    JS_FreeValue(ctx, buffer);
    return memory ? memory + offset : NULL;
}

static void free_vector(JSContext *ctx, char **vector)
{
    for (size_t i = 0; vector[i]; i++)
        js_free(ctx, vector[i]);
    js_free(ctx, vector);
}

/* NULL-terminated array of C strings from an array of strings, as execve takes it. */
static char **string_vector(JSContext *ctx, JSValueConst array)
{
    int64_t count;
    char **vector;
    JSValue length = JS_GetPropertyStr(ctx, array, "length");

    if (JS_IsException(length) || JS_ToInt64(ctx, &count, length))
        return NULL;
    vector = js_mallocz(ctx, (count + 1) * sizeof(*vector));
    for (int64_t i = 0; vector && i < count; i++) {
        JSValue item = JS_GetPropertyUint32(ctx, array, i);
        vector[i] = (char *)c_string(ctx, item);
        JS_FreeValue(ctx, item);
        if (!vector[i]) {
            free_vector(ctx, vector);
            vector = NULL;
        }
    }
    return vector;
}

/* Whether `value` became argument `i`; otherwise an exception is pending. */
static int take_argument(JSContext *ctx, JSValueConst value, struct arguments *arguments, int i)
{
    int64_t number;

    if (JS_IsNumber(value) || JS_IsBigInt(ctx, value)) {
        if (JS_ToInt64Ext(ctx, &number, value))
            return 0;
        arguments->value[i] = number;
        return 1;
    }
    if (JS_IsNull(value) || JS_IsUndefined(value))
        return 1;
    if (JS_IsString(value))
        arguments->owned[i] = c_string(ctx, value);
    else if (JS_IsArray(ctx, value))
        arguments->owned[i] = string_vector(ctx, value);
    else {
        size_t length;
        arguments->value[i] = (long)view_memory(ctx, value, &length);
        return arguments->value[i] != 0;
    }
    arguments->value[i] = (long)arguments->owned[i];
    return arguments->owned[i] != NULL;
}

static void free_arguments(JSContext *ctx, struct arguments *arguments, int argc, JSValueConst *argv)
{
    for (int i = 0; i < argc; i++) {
        if (!arguments->owned[i])
            continue;
        if (JS_IsString(argv[i]))
            js_free(ctx, arguments->owned[i]);
        else
            free_vector(ctx, arguments->owned[i]);
    }
}

/* syscall(number, ...arguments): result, or the negative error number */
static JSValue js_syscall(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    struct arguments arguments = { { 0 }, { 0 } };
    int64_t number;
    long result = 0;
    int taken = 0, ok = 1;

    if (argc < 1 || argc > MAX_ARGUMENTS + 1)
        return JS_ThrowRangeError(ctx, "a system call takes up to six arguments");
    if (JS_ToInt64(ctx, &number, argv[0]))
        return JS_EXCEPTION;
    while (ok && taken < argc - 1) {
        ok = take_argument(ctx, argv[taken + 1], &arguments, taken);
        taken++;
    }
    if (ok)
        result = raw_syscall(number, arguments.value);
    free_arguments(ctx, &arguments, taken, argv + 1);
    return ok ? JS_NewInt64(ctx, result) : JS_EXCEPTION;
}

/* address(view): where its memory is, for structures that hold pointers; valid as long as the view is reachable */
static JSValue js_address(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    uint8_t *memory = view_memory(ctx, argv[0], &length);

    return memory ? JS_NewInt64(ctx, (int64_t)(uintptr_t)memory) : JS_EXCEPTION;
}

/* encode(string): its bytes, as an ArrayBuffer */
static JSValue js_encode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    uint8_t *bytes = string_bytes(ctx, argv[0], &length);
    JSValue buffer;

    if (!bytes)
        return JS_EXCEPTION;
    buffer = JS_NewArrayBufferCopy(ctx, bytes, length);
    js_free(ctx, bytes);
    return buffer;
}

/* Length of the valid UTF-8 sequence at `p`, 0 for none (RFC 3629: shortest form, no surrogates). */
static int utf8_length(const uint8_t *p, size_t left)
{
    int length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (length == 0 || (size_t)length > left)
        return 0;
    for (int i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

/* Bytes as a string; one that is not part of valid UTF-8 becomes U+DC00 + byte. */
static JSValue string_of(JSContext *ctx, const uint8_t *memory, size_t length)
{
    size_t from = 0, to = 0;
    uint8_t *text = js_malloc(ctx, length * 3 + 1);
    JSValue string;

    if (!text)
        return JS_EXCEPTION;
    while (from < length) {
        int valid = utf8_length(memory + from, length - from);
        if (valid) {
            memcpy(text + to, memory + from, valid);
            to += valid;
            from += valid;
        } else {
            text[to++] = 0xed;
            text[to++] = 0xb0 | (memory[from] >> 6);
            text[to++] = 0x80 | (memory[from++] & 0x3f);
        }
    }
    string = JS_NewStringLen(ctx, (const char *)text, to);
    js_free(ctx, text);
    return string;
}

/* decode(view): its bytes as a string, as `string_of` makes it */
static JSValue js_decode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
    size_t length;
    const uint8_t *memory = view_memory(ctx, argv[0], &length);

    return memory ? string_of(ctx, memory, length) : JS_EXCEPTION;
}

static void print_text(JSContext *ctx, JSValueConst value)
{
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, value);

    if (text) {
        (void)!write(STDERR_FILENO, text, length);
        (void)!write(STDERR_FILENO, "\n", 1);
        JS_FreeCString(ctx, text);
    }
}

/* The error and its stack, to standard error, which is the console for PID 1. */
static void print_error(JSContext *ctx, JSValue error)
{
    print_text(ctx, error);
    if (JS_IsError(ctx, error)) {
        JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
        print_text(ctx, stack);
        JS_FreeValue(ctx, stack);
    }
    JS_FreeValue(ctx, error);
}

/*
 * The language without eval, proxies, dates and weak references, none of which the agent uses. Promises are there
 * because a module's evaluation is one.
 */
static JSContext *new_context(JSRuntime *rt)
{
    JSContext *ctx = JS_NewContextRaw(rt);

    if (ctx) {
        JS_AddIntrinsicBaseObjects(ctx);
        JS_AddIntrinsicRegExp(ctx);
        JS_AddIntrinsicJSON(ctx);
        JS_AddIntrinsicMapSet(ctx);
        JS_AddIntrinsicTypedArrays(ctx);
        JS_AddIntrinsicPromise(ctx);
    }
    return ctx;
}

static void add_function(JSContext *ctx, JSValue object, const char *name, JSCFunction *function, int length)
{
    JS_SetPropertyStr(ctx, object, name, JS_NewCFunction(ctx, function, name, length));
}

static void add_engine(JSContext *ctx, int argc, char **argv)
{
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue engine = JS_NewObject(ctx);
    JSValue arguments = JS_NewArray(ctx);

    for (int i = 0; i < argc; i++)
        JS_SetPropertyUint32(ctx, arguments, i, string_of(ctx, (const uint8_t *)argv[i], strlen(argv[i])));
    JS_SetPropertyStr(ctx, engine, "arguments", arguments);
    add_function(ctx, engine, "syscall", js_syscall, 1);
    add_function(ctx, engine, "address", js_address, 1);
    add_function(ctx, engine, "encode", js_encode, 1);
    add_function(ctx, engine, "decode", js_decode, 1);
    JS_SetPropertyStr(ctx, global, "engine", engine);
    JS_FreeValue(ctx, global);
}

int main(int argc, char **argv)
{
    JSRuntime *rt = JS_NewRuntime2(&allocator_functions, NULL);
    JSContext *ctx = rt ? new_context(rt) : NULL;
    JSValue program, result;

    if (!ctx)
        return EXIT_UNCAUGHT;
    JS_SetGCThreshold(rt, GC_THRESHOLD);
    add_engine(ctx, argc, argv);
    program = JS_ReadObject(ctx, agent_bytecode, agent_bytecode_end - agent_bytecode, JS_READ_OBJ_BYTECODE);
    result = JS_IsException(program) ? program : JS_EvalFunction(ctx, program);
    if (JS_IsException(result))
        print_error(ctx, JS_GetException(ctx));
    else if (JS_PromiseState(ctx, result) == JS_PROMISE_REJECTED)
        print_error(ctx, JS_PromiseResult(ctx, result));
    else
        _exit(0);
    _exit(EXIT_UNCAUGHT);
}
