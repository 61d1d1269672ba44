/*
 * version.h - which Oiwake this is.
 */
#ifndef ROUTER_VERSION_H
#define ROUTER_VERSION_H

#define OIWAKE_VERSION "0.1.0"

#endif
