//! G.711 µ-law and linear 16-bit PCM (little endian), into each other. Source: ITU-T G.711, table 2.

/// What is added to a sample's magnitude, so that every segment begins at a power of two.
const BIAS: i32 = 0x84;
/// The largest magnitude there is a code for.
const LARGEST: i32 = 32_635;

/// µ-law of whole samples; an odd last byte is left out.
pub(super) fn from_linear(pcm: &[u8]) -> Vec<u8> {
    pcm.chunks_exact(2)
        .map(|pair| compress(i16::from_le_bytes([pair[0], pair[1]])))
        .collect()
}

pub(super) fn to_linear(mulaw: &[u8]) -> Vec<u8> {
    mulaw
        .iter()
        .flat_map(|code| expand(*code).to_le_bytes())
        .collect()
}

fn compress(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(LARGEST) + BIAS;
    // The bias makes it at least 2^7.
    let segment = magnitude.ilog2() as i32 - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !((sign | segment << 4 | step) as u8)
}

fn expand(code: u8) -> i16 {
    let code = i32::from(!code);
    let (segment, step) = ((code >> 4) & 0x07, code & 0x0f);
    let magnitude = (((step << 3) + BIAS) << segment) - BIAS;
    let sample = if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    };
    sample as i16
}

#[test]
fn agrees_with_the_standard() {
    for (sample, code) in [
        (0, 0xff),
        (8, 0xfe),
        (-8, 0x7e),
        (1_000, 0xce),
        (-1_000, 0x4e),
        (32_767, 0x80),
        (-32_768, 0x00),
    ] {
        assert_eq!(compress(sample), code, "{sample}");
    }
    assert_eq!(expand(0xff), 0);
    assert_eq!(expand(0x80), 32_124);
    assert_eq!(expand(0x00), -32_124);
}

#[test]
fn a_code_survives_the_way_there_and_back() {
    // 0x7f is minus zero, which comes back as zero.
    for code in (0..=255u8).filter(|code| *code != 0x7f) {
        assert_eq!(from_linear(&to_linear(&[code])), [code]);
    }
    assert_eq!(from_linear(&[0, 0, 1]), [0xff]);
}
