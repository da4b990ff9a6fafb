/* The compiled program as read-only data; AGENT_BYTECODE is the file that the compiler wrote. */
    .section .rodata
    .balign 16
    .globl agent_bytecode
agent_bytecode:
    .incbin AGENT_BYTECODE
    .globl agent_bytecode_end
agent_bytecode_end:
    .section .note.GNU-stack, "", @progbits
