//! Countries and how their national numbers become international ones.

use crate::NotAPhone;

/// How national numbers of one country become international ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166 code.
    pub code: &'static str,
    calling_code: &'static str,
    /// The digit dialled before a number inside the country.
    trunk: &'static str,
    /// Digits of a national number without the trunk prefix.
    lengths: (usize, usize),
}

/// Countries an organization may name as its default. Source: ITU-T E.164 national numbering plans.
const COUNTRIES: [Country; 22] = [
    country("US", "1", "1", 10, 10),
    country("CA", "1", "1", 10, 10),
    country("GB", "44", "0", 9, 10),
    country("IE", "353", "0", 7, 9),
    country("IN", "91", "0", 10, 10),
    country("AU", "61", "0", 9, 10),
    country("NZ", "64", "0", 8, 10),
    country("DE", "49", "0", 7, 11),
    country("AT", "43", "0", 7, 12),
    country("CH", "41", "0", 9, 9),
    country("FR", "33", "0", 9, 9),
    country("BE", "32", "0", 8, 9),
    country("NL", "31", "0", 9, 9),
    country("ES", "34", "", 9, 9),
    country("PT", "351", "", 9, 9),
    country("IT", "39", "", 9, 11),
    country("SE", "46", "0", 7, 10),
    country("NO", "47", "", 8, 8),
    country("DK", "45", "", 8, 8),
    country("BR", "55", "0", 10, 11),
    country("MX", "52", "", 10, 11),
    country("SG", "65", "", 8, 8),
];

/// Its calling code: there the trunk digit belongs to the number.
pub(crate) const ITALY: &str = "39";

const fn country(
    code: &'static str,
    calling_code: &'static str,
    trunk: &'static str,
    least: usize,
    most: usize,
) -> Country {
    Country {
        code,
        calling_code,
        trunk,
        lengths: (least, most),
    }
}

impl Country {
    pub fn parse(code: &str) -> Option<Country> {
        COUNTRIES
            .into_iter()
            .find(|country| country.code.eq_ignore_ascii_case(code))
    }

    /// An international number of this country as everybody else writes it: without the digit dialled inside the country.
    /// Networks pass over digits beyond the last, so that a longer number would be another spelling of a shorter one.
    fn settled(self, digits: &str) -> Result<String, NotAPhone> {
        const ANY_LENGTH: usize = 11;
        let national = &digits[self.calling_code.len()..];
        let (_, most) = self.lengths;
        let national = match national.strip_prefix(self.trunk) {
            // A number in North America may begin like the trunk digit where a digit is missing.
            Some(rest) if self.trunk == "0" || rest.len() == most => rest,
            _ => national,
        };
        match national.len() > most && most < ANY_LENGTH {
            true => Err(NotAPhone::Length),
            false => Ok(format!("{}{national}", self.calling_code)),
        }
    }

    pub(crate) fn international(self, digits: &str) -> Option<String> {
        let (least, most) = self.lengths;
        let fits = |national: &str| (least..=most).contains(&national.len());
        let national = if !self.trunk.is_empty()
            && digits.starts_with(self.trunk)
            && fits(&digits[self.trunk.len()..])
        {
            &digits[self.trunk.len()..]
        } else if fits(digits) {
            digits
        } else {
            let rest = digits.strip_prefix(self.calling_code)?;
            fits(rest).then_some(rest)?
        };
        Some(format!("+{}{national}", self.calling_code))
    }
}

/// An international number in the one form that everybody who calls it has in common.
pub(crate) fn settled(digits: &str) -> Result<String, NotAPhone> {
    let of = |country: &Country| digits.starts_with(country.calling_code);
    match COUNTRIES.into_iter().find(of) {
        Some(country) => country.settled(digits),
        None => Ok(digits.to_owned()),
    }
}
