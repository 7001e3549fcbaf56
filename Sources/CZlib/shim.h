#pragma once
#include <zlib.h>

// deflateInit2 and inflateInit2 are macros that pass the version and size of the header they were compiled with.
static inline int hub_deflate_init(z_stream *stream, int level, int window_bits, int memory_level) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY);
}

static inline int hub_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

// Exported by zlib for its own wrapper layers, and the only way to go on after a final block with the window kept.
extern int inflateResetKeep(z_stream *stream);
