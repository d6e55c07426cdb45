//! CRC-64-AVRO, which names a schema in single-object encoding.

/// Of a schema in parsing canonical form, in the order of a record's bytes.
pub(super) fn fingerprint(canonical: &str) -> [u8; 8] {
    let step = |sum: u64, byte: u8| {
        let [low, ..] = sum.to_le_bytes();
        sum >> 8 ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    };
    canonical.bytes().fold(EMPTY, step).to_le_bytes()
}

const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

#[expect(clippy::indexing_slicing, reason = "at compile time, where a place beyond the end ends the build")]
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { EMPTY } else { 0 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of the Avro project.
    #[test]
    fn known_ones() {
        for (schema, expected) in [
            (r#""null""#, 0x63dd_24e7_cc25_8f8a_u64),
            (r#""boolean""#, 0x9f42_fc78_a4d4_f764),
            (r#""int""#, 0x7275_d51a_3f39_5c8f),
            (r#""string""#, 0x8f01_4872_6345_03c7),
        ] {
            assert_eq!(u64::from_le_bytes(fingerprint(schema)), expected, "{schema}");
        }
    }
}
