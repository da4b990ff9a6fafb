/*
 * A guest of 32-bit integer instructions, without paging, that drives each device of the machine by itself:
 * it runs even where KVM runs no stock kernel. It is told what to do by single letters on the agent's port,
 * and answers each with a line.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

__asm__(".section .note.Xen,\"a\",@note\n"
	".long 4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
	".asciz \"Xen\"\n"
	".long _start\n"
	".text\n"
	".globl _start\n"
	"_start: mov $stack_end, %esp\n"
	"push %ebx\n" /* struct hvm_start_info */
	"call main\n"
	"1: hlt\n"
	"jmp 1b\n"
	".globl interrupted\n"
	"interrupted: push %eax\n"
	"incl interrupts\n"
	"mov $0x20, %al\n"
	"out %al, $0xa0\n"
	"out %al, $0x20\n"
	"pop %eax\n"
	"ret $8\n"); /* KVM interprets no iret in protected mode; this leaves interrupts off */

u8 stack[16384] __attribute__((aligned(16)));
__asm__(".set stack_end, stack + 16384");
volatile u32 interrupts;
void interrupted(void);

static void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static void fence(void) { __asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc"); }

/* Memory that calls of the compiler's own invention refer to. */
void *memset(void *at, int value, u32 count)
{
	u8 *bytes = at;
	while (count--)
		*bytes++ = value;
	return at;
}

/* Interrupts: everything to one handler, by way of the two PICs. */

static u64 idt[256];

static void enable_interrupts(void)
{
	u32 handler = (u32)interrupted;
	for (u32 vector = 0; vector < 256; vector++)
		idt[vector] = (handler & 0xffff) | 8 << 16 | (u64)(0x8e00 | (handler & 0xffff0000)) << 32;
	struct { u16 limit; u32 base; } __attribute__((packed)) table = { sizeof idt - 1, (u32)idt };
	__asm__ volatile("lidt %0" : : "m"(table));
	static const u8 words[][2] = { { 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0x20 }, { 0xa1, 0x28 }, { 0x21, 4 },
				       { 0xa1, 2 }, { 0x21, 1 }, { 0xa1, 1 },
				       { 0x21, 0x1b }, { 0xa1, 0 } }; /* all lines but timer, keyboard, serial ports */
	for (u32 i = 0; i < sizeof words / 2; i++)
		out8(words[i][0], words[i][1]);
}

/* virtio-mmio, virtio 1.2 §4.2 and §2.7. */

enum { NEXT = 1, WRITE = 2, SIZE = 8 };
struct desc { u64 address; u32 length; u16 flags, next; };
struct queue {
	struct desc desc[SIZE];
	volatile u16 avail[2 + SIZE + 1];
	volatile u32 used[1 + 2 * SIZE + 1] __attribute__((aligned(4)));
	u16 added, seen;
} __attribute__((aligned(16)));

static struct queue queues[8][8];

static volatile u32 *registers(u32 device) { return (u32 *)(0xd0000000 + device * 0x1000); }
static u16 used_index(struct queue *q) { return ((volatile u16 *)q->used)[1]; }

static void set_queue(u32 device, u32 index)
{
	volatile u32 *r = registers(device);
	struct queue *q = &queues[device][index];
	memset(q, 0, sizeof *q);
	r[0x30 / 4] = index;
	r[0x38 / 4] = SIZE;
	r[0x80 / 4] = (u32)q->desc;
	r[0x90 / 4] = (u32)q->avail;
	r[0xa0 / 4] = (u32)q->used;
	r[0x44 / 4] = 1;
}

/* The device type, 0 when it does not take the features. */
static u32 start(u32 device, u32 queue_count, u32 features)
{
	volatile u32 *r = registers(device);
	r[0x70 / 4] = 0;
	r[0x70 / 4] = 3;
	r[0x24 / 4] = 0;
	r[0x20 / 4] = features;
	r[0x24 / 4] = 1;
	r[0x20 / 4] = 1;
	r[0x70 / 4] = 11;
	if ((r[0x70 / 4] & 8) == 0)
		return 0;
	for (u32 i = 0; i < queue_count; i++)
		set_queue(device, i);
	r[0x70 / 4] = 15;
	return r[8 / 4];
}

static void add(u32 device, u32 index, u16 head)
{
	struct queue *q = &queues[device][index];
	q->avail[2 + q->added++ % SIZE] = head;
	fence();
	q->avail[1] = q->added;
	fence();
	registers(device)[0x50 / 4] = index;
}

/* Waits for the next used buffer, spinning; its length. */
static u32 wait(u32 device, u32 index)
{
	struct queue *q = &queues[device][index];
	while (used_index(q) == q->seen)
		__asm__ volatile("pause" : : : "memory");
	return q->used[1 + 2 * (q->seen++ % SIZE) + 1];
}

static void describe(struct desc *d, const volatile void *at, u32 length, u16 flags, u16 next)
{
	d->address = (u32)at;
	d->length = length;
	d->flags = flags;
	d->next = next;
}

static u32 request(u32 device, u32 index, const volatile void *at, u32 length, u16 flags)
{
	describe(&queues[device][index].desc[0], at, length, flags, 0);
	add(device, index, 0);
	return wait(device, index);
}

/* The console and the agent's port, which is port 1. */

enum { CONSOLE, RNG, BALLOON, IMAGE, UPPER, SLOT };
static struct { u32 id; u16 event, value; u8 name[24]; } control_in;
static struct { u32 id; u16 event, value; } control_out;

static void tell(u32 id, u16 event, u16 value)
{
	control_out.id = id;
	control_out.event = event;
	control_out.value = value;
	request(CONSOLE, 3, &control_out, 8, 0);
}

static void open_port(void)
{
	start(CONSOLE, 6, 2);
	tell(0xffffffff, 0, 1);
	request(CONSOLE, 2, &control_in, sizeof control_in, WRITE); /* DEVICE_ADD of both ports */
	request(CONSOLE, 2, &control_in, sizeof control_in, WRITE);
	tell(1, 3, 1);
	tell(1, 6, 1);
}

static void say(const char *text)
{
	u32 length = 0;
	while (text[length])
		length++;
	request(CONSOLE, 5, text, length, 0);
}

static void number(u32 value)
{
	static char text[12];
	char *at = text + sizeof text - 1;
	*--at = '\n';
	do
		*--at = '0' + value % 10;
	while (value /= 10);
	say(at);
}

/* The disks. */

static struct { u32 type, reserved; u64 sector; } header;
static volatile u8 data[65536] __attribute__((aligned(4096)));
static volatile u8 status;

/* Hands a request to a disk: header, data, status. */
static void submit(u32 device, u32 type, u32 sector, u32 length)
{
	struct desc *d = queues[device][0].desc;
	header.type = type;
	header.sector = sector;
	status = 0xff;
	describe(&d[0], &header, sizeof header, NEXT, length ? 1 : 2);
	describe(&d[1], data, length, NEXT | (type == 0 || type == 8 ? WRITE : 0), 2);
	describe(&d[2], &status, 1, WRITE, 0);
	add(device, 0, 0);
}

static u32 disk(u32 device, u32 type, u32 sector, u32 length)
{
	submit(device, type, sector, length);
	wait(device, 0);
	return status;
}

static u32 sum(u32 length)
{
	u32 value = 0;
	for (u32 i = 0; i < length; i++)
		value = value * 31 + data[i];
	return value;
}

/* A ring that breaks the rules; the device's status afterwards, and whether it works again after a reset. */
static void hostile(u64 address, u32 length, u16 flags, u16 next)
{
	struct desc *d = queues[UPPER][0].desc;
	d[0].address = address;
	d[0].length = length;
	d[0].flags = flags;
	d[0].next = next;
	add(UPPER, 0, 0);
	while ((registers(UPPER)[0x70 / 4] & 0x40) == 0)
		;
	start(UPPER, 1, 1 << 9);
	number(disk(UPPER, 0, 0, 512));
}

static void obey(char letter)
{
	switch (letter) {
	case 'd': /* device types and queue sizes of what is there */
		for (u32 i = 0; i < 6; i++)
			number(registers(i)[0] == 0x74726976 ? registers(i)[8 / 4] : 0);
		break;
	case 'r': /* the image's first 64 KiB */
		number(disk(IMAGE, 0, 0, sizeof data) == 0 ? sum(sizeof data) : 0);
		break;
	case 'R': /* a write to the image, and a read past its end */
		number(disk(IMAGE, 1, 0, 512));
		number(disk(IMAGE, 0, registers(IMAGE)[0x100 / 4], 512));
		break;
	case 'D': /* the first 64 KiB of a disk that came later, 0 while there is none */
		number(start(SLOT, 1, 0) == 2 && disk(SLOT, 0, 0, sizeof data) == 0 ? sum(sizeof data) : 0);
		break;
	case 'w': /* a pattern to the upper disk, flushed, cleared in memory, and read again */
		for (u32 i = 0; i < sizeof data; i++)
			data[i] = i * 7 + (i >> 8);
		number(sum(sizeof data));
		number(disk(UPPER, 1, 8, sizeof data) | disk(UPPER, 4, 0, 0));
		memset((void *)data, 0, sizeof data);
		number(disk(UPPER, 0, 8, sizeof data) == 0 ? sum(sizeof data) : 0);
		break;
	case 's': /* the serial of a disk */
		disk(UPPER, 8, 0, 20);
		for (u32 i = 0; i < 21; i++)
			if (data[i] == 0 || i == 20) {
				data[i] = '\n';
				data[i + 1] = 0;
				break;
			}
		say((char *)data);
		break;
	case 'i': { /* sixteen reads, each waited for by an interrupt alone */
		enable_interrupts();
		u32 before = interrupts;
		for (u32 i = 0; i < 16; i++) {
			u32 now = interrupts;
			submit(IMAGE, 0, i, 512);
			__asm__ volatile("sti");
			while (interrupts == now)
				__asm__ volatile("sti; hlt; cli" : : : "memory");
			__asm__ volatile("cli");
			wait(IMAGE, 0);
		}
		number(interrupts - before);
		break;
	}
	case 'n': { /* random bytes: how many of 64 are zero */
		u32 zeros = 0;
		memset((void *)data, 0, 64);
		number(request(RNG, 0, data, 64, WRITE));
		for (u32 i = 0; i < 64; i++)
			zeros += data[i] == 0;
		number(zeros);
		break;
	}
	case 'b': { /* a page to the balloon: it reads as zeros then */
		static u32 page;
		memset((void *)data, 7, sizeof data);
		page = (u32)data >> 12;
		request(BALLOON, 0, &page, 4, 0);
		number(data[0] + data[4095] + (data[4096] << 8));
		break;
	}
	case 'o': /* a MiB */
		for (u32 i = 0; i < sizeof data; i++)
			data[i] = 'a' + i % 26;
		for (u32 i = 0; i < 16; i++)
			request(CONSOLE, 5, data, sizeof data, 0);
		break;
	case 'e': /* echo of what comes next */
		number(request(CONSOLE, 4, data, sizeof data, WRITE));
		number(sum(64));
		break;
	case 'm': { /* how often it was asked this */
		static u32 count;
		number(++count);
		break;
	}
	case '1': hostile(0xffffffffffffff00ull, 0x1000, 0, 0); break; /* an address that wraps */
	case '2': hostile((u32)&header, 16, NEXT, 0); break; /* a loop */
	case '3': hostile((u32)&header, 16, NEXT, 0x4000); break; /* a descriptor beyond the table */
	case '4': hostile(0xd0000000, 16, 0, 0); break; /* a device's registers for memory */
	case '5': hostile((u32)&header, 0xffffffff, 0, 0); break; /* a length beyond all memory */
	case 'c': tell(1, 6, 0); break; /* closes the port */
	case 'k': tell(1, 6, 1); break;
	case 'p':
		for (const char *c = "Kernel panic - not syncing: by request\n"; *c; c++)
			out8(0x3f8, *c);
		/* a kernel that has panicked resets its machine */
		__attribute__((fallthrough));
	case 'x': out8(0x64, 0xfe); break;
	case 't': {
		static const u64 none;
		__asm__ volatile("lidt %0; ud2" : : "m"(none));
		break;
	}
	case 'j': ((void (*)(void))0xd0000000)(); break; /* instructions from a device's registers */
	case 'W': out8(0x443, 15); for (;;); /* a watchdog that nobody tells anything */
	case 'P': /* one that is stopped in time */
		out8(0x443, 15);
		out8(0x441, 0);
		number(1);
		break;
	case 'q': out8(0x441, 0); __asm__ volatile("1: cli; hlt; jmp 1b"); break; /* power off, as Linux does it */
	case 'h': __asm__ volatile("cli; hlt"); break;
	}
}

int main(const u32 *start_info)
{
	const char *command_line = (const char *)start_info[24 / 4];
	if (command_line[0] == 'h')
		obey('h');
	start(RNG, 1, 0);
	start(BALLOON, 2, 0);
	start(IMAGE, 1, 0);
	start(UPPER, 1, 1 << 9);
	open_port();
	say("ready\n");
	for (;;) {
		static char letter;
		if (request(CONSOLE, 4, &letter, 1, WRITE) == 1)
			obey(letter);
	}
}
