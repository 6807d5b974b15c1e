#include "wav.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger files are hardly meant. */
#define MOST ((size_t)1 << 30)

static uint32_t little(const unsigned char *at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << (8 * i);
  return value;
}

static void put(unsigned char *at, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static int width(wav_format format) { return format == WAV_FLOAT ? 4 : format / 8; }

static float sample(const unsigned char *at, wav_format format) {
  uint32_t bits = little(at, width(format));
  if (format == WAV_FLOAT) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  /* The sign is in the highest bit of 32. */
  int32_t whole = (int32_t)(bits << (32 - format));
  return (float)whole / 2147483648.0f;
}

static const char *parse(const unsigned char *file, size_t size, wav *to) {
  if (size < 12 || memcmp(file, "RIFF", 4) || memcmp(file + 8, "WAVE", 4)) return "it is no WAV file";
  int known = 0;
  for (size_t at = 12; size - at >= 8;) {
    const unsigned char *chunk = file + at + 8;
    size_t left = size - at - 8, length = little(file + at + 4, 4);
    /* Files that were cut short or streamed: as much as there is. */
    if (length > left) length = left;
    if (!memcmp(file + at, "fmt ", 4)) {
      if (length < 16) return "its format is cut short";
      uint32_t kind = little(chunk, 2), bits = little(chunk + 14, 2);
      if (kind == 0xfffe && length >= 26) kind = little(chunk + 24, 2);
      if (little(chunk + 2, 2) != 1) return "it has more than one channel";
      to->rate = little(chunk + 4, 4);
      if (to->rate == 0) return "it has no sample rate";
      if (kind == 1 && (bits == 16 || bits == 24 || bits == 32)) to->format = (wav_format)bits;
      else if (kind == 3 && bits == 32) to->format = WAV_FLOAT;
      else return "its samples are neither 16, 24, 32 bits nor 32-bit floating point";
      known = 1;
    } else if (!memcmp(file + at, "data", 4)) {
      if (!known) return "its samples come before their format";
      to->count = length / width(to->format);
      to->samples = malloc(to->count * sizeof(float) + 1);
      if (!to->samples) return "it needs more memory than there is";
      for (size_t i = 0; i < to->count; i++) to->samples[i] = sample(chunk + i * width(to->format), to->format);
      return NULL;
    }
    /* Chunks begin at even places. */
    size_t next = length + (length & 1);
    if (next > left) break;
    at += 8 + next;
  }
  return "it has no samples";
}

const char *wav_read(const char *path, wav *to) {
  memset(to, 0, sizeof *to);
  FILE *file = fopen(path, "rb");
  if (!file) return "it cannot be opened";
  size_t size = 0, room = 1 << 16;
  unsigned char *bytes = malloc(room);
  while (bytes) {
    size_t more = fread(bytes + size, 1, room - size, file);
    if (more == 0) break;
    size += more;
    if (size == room) {
      if (room >= MOST) break;
      unsigned char *larger = realloc(bytes, room *= 2);
      if (!larger) free(bytes);
      bytes = larger;
    }
  }
  const char *wrong = !bytes ? "it needs more memory than there is"
                     : ferror(file) ? "it cannot be read"
                     : size >= MOST ? "it is larger than 1 GiB" : parse(bytes, size, to);
  free(bytes);
  fclose(file);
  return wrong;
}

static uint32_t bits_of(float value, wav_format format) {
  if (format == WAV_FLOAT) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
  }
  double most = (double)(((int64_t)1 << (format - 1)) - 1);
  double scaled = nearbyint((double)value * (most + 1));
  /* Not a number is silence. */
  if (!(scaled == scaled)) scaled = 0;
  if (scaled > most) scaled = most;
  if (scaled < -most - 1) scaled = -most - 1;
  return (uint32_t)(int32_t)scaled;
}

const char *wav_write(const char *path, const wav *from) {
  int bytes = width(from->format);
  uint32_t length = (uint32_t)(from->count * (size_t)bytes), pad = length & 1;
  unsigned char head[44];
  memcpy(head, "RIFF....WAVEfmt ", 16);
  put(head + 4, 36 + length + pad, 4);
  put(head + 16, 16, 4);
  put(head + 20, from->format == WAV_FLOAT ? 3 : 1, 2);
  put(head + 22, 1, 2);
  put(head + 24, from->rate, 4);
  put(head + 28, from->rate * (uint32_t)bytes, 4);
  put(head + 32, (uint32_t)bytes, 2);
  put(head + 34, (uint32_t)bytes * 8, 2);
  memcpy(head + 36, "data", 4);
  put(head + 40, length, 4);
  FILE *file = fopen(path, "wb");
  if (!file) return "it cannot be created";
  int good = fwrite(head, sizeof head, 1, file) == 1;
  for (size_t i = 0; good && i < from->count; i++) {
    unsigned char one[4];
    put(one, bits_of(from->samples[i], from->format), bytes);
    good = fwrite(one, (size_t)bytes, 1, file) == 1;
  }
  if (good && pad) good = fputc(0, file) != EOF;
  return fclose(file) == 0 && good ? NULL : "it cannot be written";
}
