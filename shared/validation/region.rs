//! Where a number may be: the countries and time zones its prefix stands for.
//!
//! A prefix says where a number was given out, and not always one place: a mobile or toll-free number may be anywhere in
//! its country, `+1 800` in two of them. Then all are named, and whoever acts on it must suit every one.
//!
//! Cost: the table's texts are 8.7 kB of wasm before compression, its 264 rows 6.3 kB.

use crate::Phone;
use crate::region_table::TABLE;
use crate::zone::Zone;

/// The longest prefix of the table, in digits.
const LONGEST: usize = 4;

/// The countries and zones of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    countries: &'static str,
    zones: &'static str,
}

impl Region {
    /// None: no country has such numbers.
    pub fn of(phone: &Phone) -> Option<Region> {
        let digits = &phone.as_str()[1..];
        (1..=LONGEST).rev().find_map(|length| {
            let prefix = digits.get(..length)?;
            let (_, countries, zones) = TABLE
                .iter()
                .find(|(prefixes, ..)| prefixes.split(' ').any(|known| known == prefix))?;
            Some(Region { countries, zones })
        })
    }

    /// ISO 3166 codes.
    pub fn countries(self) -> impl Iterator<Item = &'static str> {
        self.countries.split(' ')
    }

    /// At least one; each stands for all zones whose clocks go by the same rule.
    pub fn zones(self) -> Vec<Zone> {
        self.zones.split(' ').filter_map(Zone::parse).collect()
    }
}

/// Whether this is the ISO 3166 code of a country that has numbers.
pub fn is_country(code: &str) -> bool {
    let known = |countries: &str| countries.split(' ').any(|known| known == code);
    TABLE.iter().any(|(_, countries, _)| known(countries))
}

/// Whether these digits are a calling code, such as `1`, `44` or `353`.
pub(crate) fn is_calling_code(digits: &str) -> bool {
    let known = |prefixes: &str| prefixes.split(' ').any(|known| known == digits);
    // What is longer than three digits is part of a country's own plan.
    digits.len() <= 3 && TABLE.iter().any(|(prefixes, ..)| known(prefixes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: &str, countries: &str, zones: &[&str]) {
        let region = Region::of(&Phone::parse(number, None).unwrap()).unwrap();
        let found: Vec<&str> = region.zones().into_iter().map(Zone::name).collect();
        assert_eq!(
            (region.countries, found.as_slice()),
            (countries, zones),
            "{number}"
        );
    }

    #[test]
    fn knows_places_by_area_code() {
        check("+12125550100", "US", &["America/New_York"]);
        check("+14155550100", "US", &["America/Los_Angeles"]);
        check("+16025550100", "US", &["America/Phoenix"]);
        check("+18085550100", "US", &["Pacific/Honolulu"]);
        check("+14165550100", "CA", &["America/Toronto"]);
        check("+18765550100", "JM", &["America/Jamaica"]);
        check("+16715550100", "GU", &["Pacific/Guam"]);
        check("+442079460958", "GB GG IM JE", &["Europe/London"]);
        check("+919876543210", "IN", &["Asia/Kolkata"]);
        check("+61398765432", "AU", &["Australia/Melbourne"]);
        check("+77272000000", "KZ", &["Asia/Almaty"]);
        check("+5568999990000", "BR", &["America/Rio_Branco"]);
    }

    #[test]
    fn names_every_place_a_number_may_be_at() {
        for number in ["+15005550006", "+18005550100", "+15559876543"] {
            let region = Region::of(&Phone::parse(number, None).unwrap()).unwrap();
            assert_eq!(region.countries, "US CA", "{number}");
            let zones: Vec<&str> = region.zones().into_iter().map(Zone::name).collect();
            for zone in [
                "America/New_York",
                "America/Los_Angeles",
                "Pacific/Honolulu",
            ] {
                assert!(zones.contains(&zone), "{number} {zones:?}");
            }
        }
        let mobile = Phone::parse("+61412345678", None).unwrap();
        assert!(Region::of(&mobile).unwrap().zones().len() > 4);
        let nowhere = Phone::parse("+2105550100", None).unwrap();
        assert_eq!(Region::of(&nowhere), None);
    }

    #[test]
    fn the_table_holds_real_zones_and_no_prefix_twice() {
        let mut prefixes = Vec::new();
        for (of_row, countries, zones) in TABLE {
            assert!(countries.split(' ').all(|code| code.len() == 2));
            for zone in zones.split(' ') {
                assert!(Zone::parse(zone).is_some(), "{zone}");
            }
            prefixes.extend(of_row.split(' '));
        }
        let count = prefixes.len();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), count);
        assert!(prefixes.iter().all(|prefix| prefix.len() <= LONGEST));
        assert!(is_country("DE") && !is_country("XX") && !is_country("de"));
        assert!(is_calling_code("44") && !is_calling_code("442"));
    }
}
