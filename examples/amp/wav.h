/* WAV files of one channel: 16, 24 or 32 bits, or 32-bit floating point. */
#ifndef WAV_H
#define WAV_H

#include <stddef.h>
#include <stdint.h>

typedef enum { WAV_PCM16 = 16, WAV_PCM24 = 24, WAV_PCM32 = 32, WAV_FLOAT = 1 } wav_format;

typedef struct {
  uint32_t rate;
  wav_format format;
  size_t count;
  float *samples; /* in -1..1; from malloc */
} wav;

/* Null if all is well, else what is wrong. */
const char *wav_read(const char *path, wav *to);
const char *wav_write(const char *path, const wav *from);

#endif
