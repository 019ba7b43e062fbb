//! Telephone numbers in E.164 form, and the looser forms people write that mean one.

use crate::country::{ITALY, settled};
use crate::{Country, region};

/// A number in E.164 form: `+`, a country code, 8 to 15 digits in all. Whether it exists, the carrier knows:
/// the API documents' own example `+15559876543` lies in an area code nobody assigned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// Why a text is no number Ringdown calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAPhone {
    /// Something other than digits and the usual punctuation.
    Characters,
    /// Fewer than 8 or more than 15 digits, or a country code beginning with 0.
    Length,
    /// No country code, and the organization names no country to take it from.
    NoCountry,
    /// Premium rate: the person who answers, or the caller, pays by the minute.
    Premium,
    /// A number for emergencies.
    Emergency,
    /// A short number, which only some networks connect, and often at a price.
    Short,
    /// It is in no country that the organization may call.
    Country,
    /// The number called from is the number to call.
    SameAsCaller,
}

impl NotAPhone {
    /// Whether it is a number, but none that may be called.
    pub fn is_forbidden(self) -> bool {
        match self {
            NotAPhone::Premium | NotAPhone::Emergency | NotAPhone::Short | NotAPhone::Country => {
                true
            }
            NotAPhone::Characters
            | NotAPhone::Length
            | NotAPhone::NoCountry
            | NotAPhone::SameAsCaller => false,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            NotAPhone::Characters => "contains characters that are not part of a phone number",
            NotAPhone::Length => "must be a phone number in E.164 format, for example +14155550100",
            NotAPhone::NoCountry => {
                "must begin with + and a country code, for example +14155550100"
            }
            NotAPhone::Premium => {
                "is a premium-rate, satellite or international service number, which is never called"
            }
            NotAPhone::Emergency => "is an emergency number, which is never called",
            NotAPhone::Short => "is a short number, which is never called",
            NotAPhone::Country => "is in a country that calls are not allowed to",
            NotAPhone::SameAsCaller => "is the number called from",
        }
    }
}

/// Numbers for emergencies, and crisis lines, wherever they are in use. Source: ITU-T E.129 and E.161.1.
const EMERGENCY: [&str; 30] = [
    "000", "060", "061", "066", "100", "101", "102", "103", "104", "105", "108", "110", "111",
    "112", "113", "114", "115", "116", "117", "118", "119", "120", "122", "190", "191", "192",
    "193", "911", "988", "999",
];

/// The most digits of a number that is dialled inside its country alone.
const SHORT: usize = 6;

/// Prefixes of premium-rate and shared-cost numbers, and of networks that cost as much: satellites, international
/// services. Source: the national numbering plans, and ITU-T E.164's list of assigned codes.
const PREMIUM: [&str; 77] = [
    "+1900", "+449", "+4484", "+4487", "+353151", "+353152", "+353153", "+353155", "+353157",
    "+353158", "+353159", "+6119", "+64900", "+49900", "+49137", "+49180", "+43900", "+43901",
    "+43930", "+43931", "+43939", "+41900", "+41901", "+41906", "+3389", "+3190", "+3290",
    "+34803", "+34806", "+34807", "+34905", "+34907", "+351607", "+351646", "+351760", "+351761",
    "+351762", "+39892", "+39894", "+39895", "+39899", "+46900", "+46939", "+46944", "+4782",
    "+4590", "+358600", "+358700", "+35490", "+4870", "+42090", "+42190", "+3690", "+40900",
    "+40903", "+40906", "+30901", "+30909", "+90900", "+7809", "+55300", "+55500", "+55900",
    "+52900", "+651900", "+852900", "+81990", "+808", "+870", "+881", "+882", "+883", "+888",
    "+979", "+878", "+800", "+991",
];

/// Refuses emergency and short numbers, also behind a calling code or an international prefix.
fn forbidden(digits: &str, plus: bool) -> Result<(), NotAPhone> {
    let international = match plus {
        true => Some(digits),
        false => digits.strip_prefix("00").filter(|rest| !rest.is_empty()),
    };
    let behind_a_code = international.is_some_and(|digits| {
        (1..=3).any(|length| {
            digits.split_at_checked(length).is_some_and(|(code, rest)| {
                region::is_calling_code(code) && EMERGENCY.contains(&rest)
            })
        })
    });
    // No area code of the North American plan is 911; some switches connect it all the same.
    let area_code = international.is_some_and(|digits| digits.starts_with("1911"));
    let named = international.unwrap_or(digits);
    if EMERGENCY.contains(&named) || EMERGENCY.contains(&digits) || behind_a_code || area_code {
        return Err(NotAPhone::Emergency);
    }
    match international.is_none() && (2..=SHORT).contains(&digits.len()) {
        true => Err(NotAPhone::Short),
        false => Ok(()),
    }
}

/// The digits of a text, without the punctuation people add.
fn digits_of(text: &str, plus: bool) -> Result<String, NotAPhone> {
    let bare = |text: &str| -> String {
        let punctuation = |c: &char| matches!(c, ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}');
        text.chars().filter(|c| !punctuation(c)).collect()
    };
    let digits = bare(text.strip_prefix('+').unwrap_or(text));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAPhone::Characters);
    }
    let abroad = if plus {
        Some(digits.as_str())
    } else {
        digits.strip_prefix("00")
    };
    // "+44 (0)20": a digit dialled inside the country alone. In Italy it belongs to the number.
    Ok(
        match abroad.is_some_and(|abroad| !abroad.starts_with(ITALY)) {
            true => bare(text.replacen("(0)", "", 1).trim_start_matches('+')),
            false => digits,
        },
    )
}

impl Phone {
    /// Reads a number: E.164, with the punctuation people add, with `00` for `+`, or, where `home` is known,
    /// as it is dialled inside that country.
    pub fn parse(text: &str, home: Option<Country>) -> Result<Phone, NotAPhone> {
        let text = text.trim();
        let plus = text.starts_with('+');
        let digits = digits_of(text, plus)?;
        if digits.is_empty() {
            return Err(NotAPhone::Length);
        }
        forbidden(&digits, plus)?;
        let abroad = match plus {
            true => Some(digits.as_str()),
            false => digits.strip_prefix("00"),
        };
        let number = match (abroad, home) {
            (Some(digits), _) => format!("+{}", settled(digits)?),
            (None, Some(home)) => home.international(&digits).ok_or(NotAPhone::Length)?,
            (None, None) => return Err(NotAPhone::NoCountry),
        };
        forbidden(&number[1..], true)?;
        if !(9..=16).contains(&number.len()) || number.starts_with("+0") {
            return Err(NotAPhone::Length);
        }
        // In North America the exchange 976 of any area code costs a premium too.
        let exchange_976 = number.starts_with("+1") && number.get(5..8) == Some("976");
        if exchange_976 || PREMIUM.iter().any(|prefix| number.starts_with(prefix)) {
            return Err(NotAPhone::Premium);
        }
        Ok(Phone(number))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For logs: `+1415•••0100`.
    pub fn masked(&self) -> String {
        format!(
            "{}•••{}",
            &self.0[..self.0.len() / 3],
            &self.0[self.0.len() - 4..]
        )
    }
}

impl std::fmt::Display for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, home: Option<&str>, expected: Result<&str, NotAPhone>) {
        let home = home.map(|code| Country::parse(code).unwrap());
        let read = Phone::parse(text, home);
        assert_eq!(
            read.as_ref().map(Phone::as_str),
            expected.as_ref().copied(),
            "{text}"
        );
    }

    #[test]
    fn reads_e164_and_what_means_it() {
        check("+14155550100", None, Ok("+14155550100"));
        check(" +1 (415) 555-0100 ", None, Ok("+14155550100"));
        check("+1.415.555.0100", None, Ok("+14155550100"));
        check("0044 20 7946 0958", None, Ok("+442079460958"));
        check("+15559876543", None, Ok("+15559876543"));
        check("+1234567890", None, Ok("+1234567890"));
    }

    /// However it is spelled, a number is on the suppression list, counted and refused as the same one.
    #[test]
    fn one_number_has_one_form() {
        for text in [
            "+442071838750",
            "+44 (0)20 7183 8750",
            "+44 (020) 7183 8750",
            "+4402071838750",
            "0044 (0) 20 7183 8750",
            "00440 2071838750",
        ] {
            check(text, None, Ok("+442071838750"));
        }
        check("+1 (1) 212 555 0147", None, Ok("+12125550147"));
        check("+11125550147", None, Ok("+11125550147"));
        check("+31 (0)20 123 4567", None, Ok("+31201234567"));
        check("+48 (0)22 123 45 67", None, Ok("+48221234567"));
        check("+39 (0)6 1234 5678", None, Ok("+390612345678"));
        check("+39 06 1234 5678", None, Ok("+390612345678"));
        check("+225 07 01 02 03 04", None, Ok("+2250701020304"));
        // What is dialled beyond the last digit counts for nothing.
        for text in [
            "+121255501470",
            "+4420718387501",
            "+33123456789012",
            "+91987654321012",
        ] {
            check(text, None, Err(NotAPhone::Length));
        }
        check("+44 (0)906 123 4567", None, Err(NotAPhone::Premium));
        check("+33 (0)8 99 12 34 56", None, Err(NotAPhone::Premium));
        check("+49 (0)900 1234567", None, Err(NotAPhone::Premium));
        check("+1 1900 555 1234", None, Err(NotAPhone::Premium));
        check("+44 (0)999", None, Err(NotAPhone::Emergency));
    }

    #[test]
    fn reads_national_numbers_at_home() {
        check("7018112582", Some("US"), Ok("+17018112582"));
        check("1 701 811 2582", Some("US"), Ok("+17018112582"));
        check("9876543210", Some("IN"), Ok("+919876543210"));
        check("919876543210", Some("IN"), Ok("+919876543210"));
        check("09876543210", Some("IN"), Ok("+919876543210"));
        check("020 7946 0958", Some("GB"), Ok("+442079460958"));
        check("7018112582", None, Err(NotAPhone::NoCountry));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "++1415",
            "call me",
            "7XXXXXXXX2",
            "+1415555O100",
            "tel:+14155550100",
            "+14155550100;ext=1",
        ] {
            check(text, Some("US"), Err(NotAPhone::Characters));
        }
        for text in ["+0123456789", "+1234567", "+1234567890123456"] {
            check(text, None, Err(NotAPhone::Length));
        }
        for text in ["", "+", "  ", "1234567"] {
            check(text, Some("US"), Err(NotAPhone::Length));
        }
    }

    #[test]
    fn refuses_numbers_nobody_is_to_call() {
        for text in [
            "911",
            "9-1-1",
            "112",
            "999",
            "+911",
            "+1911",
            "+1 911",
            "001911",
            "00112",
            "+44999",
            "+49112",
            "+61000",
            "+353112",
            "+19115550100",
            "988",
        ] {
            check(text, Some("US"), Err(NotAPhone::Emergency));
            check(text, None, Err(NotAPhone::Emergency));
        }
        for text in ["12345", "611", "242526", "40404"] {
            check(text, Some("US"), Err(NotAPhone::Short));
        }
        for text in [
            "+19005550100",
            "+14159765550",
            "+18099765550",
            "+449098790000",
            "+448712345678",
            "+491375550100",
            "+33899123456",
            "+881612345678",
            "+883510012345",
            "+979123456789",
            "+870773000000",
            "+80012345678",
            "+99112345678",
        ] {
            check(text, None, Err(NotAPhone::Premium));
        }
        // Nothing of the sort, though it begins or ends alike.
        for text in [
            "+14159110000",
            "+14155559760",
            "+97612345678",
            "+12069989112",
            "+441129110999",
            "+911204567890",
            "+33112345678",
            "+8801712345678",
            "+886212345678",
            "+3281123456",
        ] {
            check(text, None, Ok(text));
        }
    }

    #[test]
    fn masks_for_logs() {
        let phone = Phone::parse("+14155550100", None).unwrap();
        assert_eq!(format!("{phone:?}"), "+141•••0100");
    }
}
