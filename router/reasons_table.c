/*
 * reasons_table.c - conf/reasons.table, compiled in: what is known without a
 * file, and what a file replaces. The Makefile names the table as something
 * that this object is made of.
 */
__asm__(".pushsection .rodata\n"
	".global reasons_table_text\n"
	".hidden reasons_table_text\n"
	"reasons_table_text:\n"
	".incbin \"conf/reasons.table\"\n"
	".byte 0\n"
	".popsection\n");
