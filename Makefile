# make             build/bin/oiwake             make demo    the whole thing on a fake internet
# make test        every test                   make bench   against Postfix, in one run
# make lint        clang-tidy, cppcheck, man    make fuzz    each fuzz target for FUZZ_SECONDS
# make install     under $(DESTDIR)$(PREFIX)
#
# STORE=postgres makes the end-to-end tests and the demo run with a private PostgreSQL (tests/postgres).
# SAN=address,undefined or SAN=thread build into a folder of their own; CC=clang works throughout.
# On a bare Debian 12 the first make installs what is missing (tests/deps).

PKGS     = libpq libevent libevent_openssl libevent_pthreads openssl opendkim libunbound sqlite3 \
           libpcre2-8 libconfuse jansson gmime-3.0 libcrypt libcurl libseccomp
PREFIX  ?= /usr/local
comma   := ,
O       := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter clang,$(CC)),-clang)

# What a sanitizer needs to say where it was; half of the compiler's time.
CFLAGS  ?= $(if $(SAN),-O1 -g1,-O2 -g)

# Before pkg-config is asked for anything.
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
DEPS    := $(shell tests/deps build >&2 && echo ok)
ifneq ($(DEPS),ok)
$(error cannot install what the build needs; see above)
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) || echo failed)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) || echo failed)
ifneq ($(filter failed,$(PKG_CFLAGS) $(PKG_LIBS)),)
$(error pkg-config does not know all libraries; see above)
endif
endif

WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wcast-qual \
           -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -fno-common \
           $(if $(CI),-Werror)
HARD     = -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
               -fno-omit-frame-pointer)

override CFLAGS   += -std=c17 $(WARN) $(HARD) $(SANITIZE)
override CPPFLAGS += -D_GNU_SOURCE -I. -MMD -MP $(PKG_CFLAGS)
override LDFLAGS  += -pie -pthread $(SANITIZE)
override LDLIBS   += $(PKG_LIBS) -lspf2 -lm # which has no pkg-config file

MAIN    := router/main.c
LIBSRC  := $(filter-out $(MAIN),$(wildcard mta/*.c mta/*/*.c rules/*.c router/*.c router/*/*.c))
LIB     := $O/liboiwake.a
TESTS   := $(patsubst tests/unit/%.c,$O/bin/%,$(wildcard tests/unit/test_*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$O/bin/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH   := $(patsubst tests/bench/%.c,$O/bin/%,$(wildcard tests/bench/bench_*.c))
SANDBOX := $O/bin/oiwake-sandbox

all: $O/bin/oiwake
programs: all $(SANDBOX) $(TESTS) $(if $(SAN),,$(BENCH))
fuzzers: $(FUZZ)

$(LIB): $(LIBSRC:%.c=$O/obj/%.o) $O/obj/console_files.o
	@rm -f $@
	$(AR) rcs $@ $^
$O/bin/oiwake: $(MAIN:%.c=$O/obj/%.o) $(LIB)
$(SANDBOX): $(patsubst %.c,$O/obj/%.o,$(wildcard tests/sandbox/*.c)) $(LIB)
$(TESTS): $O/bin/%: $O/obj/tests/unit/%.o $(LIB)
$(TESTS): override LDLIBS += -lcmocka
$(FUZZ): $O/bin/%: $O/obj/tests/fuzz/%.o $(LIB)
$(FUZZ): override LDFLAGS += -fsanitize=fuzzer
$(BENCH): $O/bin/%: $O/obj/tests/bench/%.o $(LIB)
$O/bin/oiwake $(SANDBOX) $(TESTS) $(FUZZ) $(BENCH):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$O/obj/router/reasons_table.o: conf/reasons.table

# The console: its files, and what npm brings, in one table. The folder: files come and go.
CONSOLE := router/http/console
$O/console/node_modules/.stamp: $(CONSOLE)/package.json $(CONSOLE)/package-lock.json
	@mkdir -p $O/console && cp $^ $O/console
	npm ci --prefix $O/console --silent --ignore-scripts --no-audit --no-fund \
	    --prefer-offline --fetch-retries 5 </dev/null || \
	    { echo "npm cannot get what the console needs ($<): is there a network?" >&2; exit 1; }
	@touch $@
$O/console/files.c: $(wildcard $(CONSOLE)/*.html $(CONSOLE)/*.css $(CONSOLE)/*.js $(CONSOLE)/*.svg) \
    $(CONSOLE) $(CONSOLE)/embed $O/console/node_modules/.stamp
	$(CONSOLE)/embed $O/console $(filter %.html %.css %.js %.svg,$^)
$(CONSOLE): ;
$O/obj/console_files.o: $O/console/files.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$O/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# What another compiler warns of in the tests; the fuzzers' build is its word on all else.
syntax: $(patsubst %.c,$O/syntax/%,$(MAIN) \
    $(wildcard tests/unit/*.c tests/sandbox/*.c tests/bench/*.c))
$O/syntax/%: %.c
	@$(CC) $(CPPFLAGS) -MF /dev/null $(CFLAGS) -fsyntax-only $<

test:
	tests/run

demo: all $(SANDBOX)
	tests/demo

bench: all $(BENCH)
	tests/bench/run

fuzz:
	tests/fuzz/run

lint:
	tests/lint

install: all
	install -D -m 755 $O/bin/oiwake $(DESTDIR)$(PREFIX)/sbin/oiwake
	install -D -m 644 router/oiwake.8 $(DESTDIR)$(PREFIX)/share/man/man8/oiwake.8
	install -D -m 644 router/oiwake-nodes.7 $(DESTDIR)$(PREFIX)/share/man/man7/oiwake-nodes.7
	install -D -m 644 rules/oiwake-rules.5 $(DESTDIR)$(PREFIX)/share/man/man5/oiwake-rules.5
	install -D -m 644 conf/oiwake.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/oiwake.conf.5
	install -D -m 644 conf/reasons.table.5 $(DESTDIR)$(PREFIX)/share/man/man5/reasons.table.5
	install -d $(DESTDIR)$(PREFIX)/share/oiwake
	install -m 644 conf/oiwake.conf conf/oiwake.rules conf/carriers.rules conf/reasons.table \
	    conf/oiwake.alerts.yml conf/oiwake.dashboard.json $(DESTDIR)$(PREFIX)/share/oiwake

clean:
	rm -rf build build-*

.PHONY: all programs fuzzers syntax test demo bench fuzz lint install clean
.SECONDARY:
-include $(shell find $O -type f -name '*.d' 2>/dev/null)
