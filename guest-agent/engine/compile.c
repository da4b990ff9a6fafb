/*
 * compile SOURCE BYTECODE: compiles a program for engine.c, on the machine that builds.
 *
 * The program is a module: its names then are resolved here, while a script's are looked up when it starts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "quickjs.h"

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;

    if (file && fseek(file, 0, SEEK_END) == 0) {
        *length = ftell(file);
        rewind(file);
        text = malloc(*length + 1);
        if (text && fread(text, 1, *length, file) == *length)
            text[*length] = 0;
    }
    if (!text)
        perror(path);
    return text;
}

static int write_file(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    JSRuntime *rt = JS_NewRuntime();
    JSContext *ctx = JS_NewContext(rt);
    size_t length;
    char *source;
    uint8_t *bytes;
    JSValue program;

    if (argc != 3 || !(source = read_file(argv[1], &length)))
        return 2;
    /* Names of functions stay, for the stack of an error on the guest's console; line numbers cost a quarter more. */
    JS_SetStripInfo(rt, JS_STRIP_DEBUG);
    program = JS_Eval(ctx, source, length, "agent.js", JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(program)) {
        JSValue error = JS_GetException(ctx);
        JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
        fprintf(stderr, "%s\n%s", JS_ToCString(ctx, error), JS_ToCString(ctx, stack));
        return 1;
    }
    bytes = JS_WriteObject(ctx, &length, program, JS_WRITE_OBJ_BYTECODE);
    return bytes ? write_file(argv[2], bytes, length) : 1;
}
