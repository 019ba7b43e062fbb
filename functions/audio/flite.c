/* The part of the program flite that a voice container needs, with one voice, linked statically:
 * flite -voice kal16 -t TEXT -o FILE */
#include <flite/flite.h>
#include <stdio.h>
#include <string.h>

cst_voice *register_cmu_us_kal16(const char *folder);

/* libflite plays to sound cards, too. Here there are none, so its driver is left out. */
void *audio_open_alsa(unsigned int rate, int channels, int format) { return NULL; }
int audio_close_alsa(void *device) { return -1; }
int audio_write_alsa(void *device, void *samples, int bytes) { return -1; }
int audio_flush_alsa(void *device) { return -1; }
int audio_drain_alsa(void *device) { return -1; }

int main(int count, char **arguments) {
    const char *text = NULL, *file = NULL;
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "-t") == 0) text = arguments[i + 1];
        if (strcmp(arguments[i], "-o") == 0) file = arguments[i + 1];
    }
    if (!text || !file) {
        fprintf(stderr, "flite -voice kal16 -t TEXT -o FILE\n");
        return 2;
    }
    flite_init();
    cst_wave *wave = flite_text_to_wave(text, register_cmu_us_kal16(NULL));
    return wave && cst_wave_save_riff(wave, file) >= 0 ? 0 : 1;
}
