//! Collations: how text is compared.

use std::cmp::Ordering;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A collation that the engine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "the names are SQL Server's")]
pub enum Collation {
    #[default]
    SqlLatin1GeneralCp1CiAs,
    SqlLatin1GeneralCp1CsAs,
    SqlLatin1GeneralCp1CiAi,
    Latin1GeneralCiAs,
    Latin1GeneralCsAs,
    Latin1GeneralCiAi,
    Latin1General100CiAs,
    Latin1General100CsAs,
    Latin1General100CiAi,
    Latin1General100CiAsScUtf8,
    Latin1GeneralBin,
    Latin1GeneralBin2,
    Latin1General100Bin2,
    Latin1General100Bin2Utf8,
}

struct Facts {
    collation: Collation,
    name: &'static str,
    case: bool,
    accent: bool,
    binary: bool,
    utf8: bool,
    /// The five bytes of TDS: LCID, flags and version, sort id (MS-TDS 2.2.5.1.2).
    wire: [u8; 5],
}

const fn facts(
    collation: Collation,
    name: &'static str,
    sensitive: (bool, bool),
    binary: bool,
    utf8: bool,
    wire: [u8; 5],
) -> Facts {
    Facts { collation, name, case: sensitive.0, accent: sensitive.1, binary, utf8, wire }
}

const ALL: &[Facts] = &[
    facts(
        Collation::SqlLatin1GeneralCp1CiAs,
        "SQL_Latin1_General_CP1_CI_AS",
        (false, true),
        false,
        false,
        [0x09, 0x04, 0xD0, 0x00, 0x34],
    ),
    facts(
        Collation::SqlLatin1GeneralCp1CsAs,
        "SQL_Latin1_General_CP1_CS_AS",
        (true, true),
        false,
        false,
        [0x09, 0x04, 0xC0, 0x00, 0x33],
    ),
    facts(
        Collation::SqlLatin1GeneralCp1CiAi,
        "SQL_Latin1_General_CP1_CI_AI",
        (false, false),
        false,
        false,
        [0x09, 0x04, 0xF0, 0x00, 0x36],
    ),
    facts(
        Collation::Latin1GeneralCsAs,
        "Latin1_General_CS_AS",
        (true, true),
        false,
        false,
        [0x09, 0x04, 0xC0, 0x00, 0x00],
    ),
    facts(
        Collation::Latin1GeneralCiAi,
        "Latin1_General_CI_AI",
        (false, false),
        false,
        false,
        [0x09, 0x04, 0xF0, 0x00, 0x00],
    ),
    facts(
        Collation::Latin1GeneralCiAs,
        "Latin1_General_CI_AS",
        (false, true),
        false,
        false,
        [0x09, 0x04, 0xD0, 0x00, 0x00],
    ),
    facts(
        Collation::Latin1General100CiAs,
        "Latin1_General_100_CI_AS",
        (false, true),
        false,
        false,
        [0x09, 0x04, 0xD0, 0x20, 0x00],
    ),
    facts(
        Collation::Latin1General100CsAs,
        "Latin1_General_100_CS_AS",
        (true, true),
        false,
        false,
        [0x09, 0x04, 0xC0, 0x20, 0x00],
    ),
    facts(
        Collation::Latin1General100CiAi,
        "Latin1_General_100_CI_AI",
        (false, false),
        false,
        false,
        [0x09, 0x04, 0xF0, 0x20, 0x00],
    ),
    facts(
        Collation::Latin1General100CiAsScUtf8,
        "Latin1_General_100_CI_AS_SC_UTF8",
        (false, true),
        false,
        true,
        [0x09, 0x04, 0xD0, 0x24, 0x00],
    ),
    facts(
        Collation::Latin1GeneralBin,
        "Latin1_General_BIN",
        (true, true),
        true,
        false,
        [0x09, 0x04, 0x00, 0x01, 0x00],
    ),
    facts(
        Collation::Latin1GeneralBin2,
        "Latin1_General_BIN2",
        (true, true),
        true,
        false,
        [0x09, 0x04, 0x00, 0x02, 0x00],
    ),
    facts(
        Collation::Latin1General100Bin2,
        "Latin1_General_100_BIN2",
        (true, true),
        true,
        false,
        [0x09, 0x04, 0x00, 0x22, 0x00],
    ),
    facts(
        Collation::Latin1General100Bin2Utf8,
        "Latin1_General_100_BIN2_UTF8",
        (true, true),
        true,
        true,
        [0x09, 0x04, 0x00, 0x26, 0x00],
    ),
];

impl Collation {
    /// Every collation there is.
    pub fn all() -> impl Iterator<Item = Collation> {
        ALL.iter().map(|f| f.collation)
    }

    fn facts(self) -> &'static Facts {
        ALL.iter().find(|f| f.collation == self).unwrap_or(&ALL[0])
    }

    /// The collation of that name, whatever its case.
    pub fn by_name(name: &str) -> Option<Collation> {
        if name.eq_ignore_ascii_case("database_default") || name.eq_ignore_ascii_case("catalog_default") {
            return Some(Collation::default());
        }
        ALL.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.collation)
    }

    /// SQL Server's name for it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Its five bytes in TDS.
    pub fn wire(self) -> [u8; 5] {
        self.facts().wire
    }

    /// The collation of those five bytes; the default one for what is not known here.
    pub fn from_wire(wire: [u8; 5]) -> Collation {
        ALL.iter().find(|f| f.wire == wire).map_or_else(Collation::default, |f| f.collation)
    }

    /// Whether varchar holds UTF-8 rather than Windows-1252.
    pub fn is_utf8(self) -> bool {
        self.facts().utf8
    }

    /// Whether upper and lower case are the same.
    pub fn ignores_case(self) -> bool {
        !self.facts().case
    }

    /// Whether text is compared by code points.
    pub fn is_binary(self) -> bool {
        self.facts().binary
    }

    /// Compares as SQL Server does: blanks at the end do not count.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
        let facts = self.facts();
        if facts.binary {
            return a.cmp(b);
        }
        if a == b {
            return Ordering::Equal;
        }
        // First the letters, then what the collation tells apart in them.
        let primary = weights(a).map(|w| w.0).cmp(weights(b).map(|w| w.0));
        primary
            .then_with(|| {
                if facts.accent {
                    weights(a).map(|w| w.1).cmp(weights(b).map(|w| w.1))
                } else {
                    Ordering::Equal
                }
            })
            .then_with(|| {
                if facts.case {
                    weights(a).map(|w| w.2).cmp(weights(b).map(|w| w.2))
                } else {
                    Ordering::Equal
                }
            })
    }

    /// The form of a character under which the collation takes it for the same.
    pub fn fold(self, c: char) -> char {
        let facts = self.facts();
        if facts.case || facts.binary {
            return c;
        }
        let lower = if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) };
        if facts.accent { lower } else { base_letter(lower) }
    }
}

/// Letter, accent and case of each character; punctuation sorts before digits, digits before letters.
fn weights(text: &str) -> impl Iterator<Item = ((u8, char), char, bool)> {
    text.chars().map(|c| {
        let lower = if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) };
        let base = base_letter(lower);
        let class = if base.is_alphabetic() { 2 } else { u8::from(base.is_numeric()) };
        ((class, base), lower, c.is_uppercase())
    })
}

/// The letter below the accent, for Latin-1 and its neighbours.
fn base_letter(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' => 'i',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ś' | 'ŝ' | 'ş' | 'š' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ð' | 'ď' | 'đ' => 'd',
        'ł' | 'ĺ' | 'ľ' => 'l',
        'ŕ' | 'ř' => 'r',
        'ţ' | 'ť' => 't',
        other => other,
    }
}

impl Serialize for Collation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Collation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Collation, D::Error> {
        let name = String::deserialize(deserializer)?;
        Collation::by_name(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown collation {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_as_sql_server_compares_it() {
        let ci = Collation::default();
        assert_eq!(ci.compare("abc  ", "ABC"), Ordering::Equal);
        assert_eq!(ci.compare("a", "B"), Ordering::Less);
        assert_eq!(ci.compare("résumé", "resume"), Ordering::Greater, "accents count");
        assert_eq!(ci.compare("resumf", "résumé"), Ordering::Greater, "letters come first");
        assert_eq!(Collation::Latin1GeneralBin2.compare("a", "B"), Ordering::Greater);
        assert_eq!(Collation::Latin1General100CiAi.compare("résumé", "RESUME"), Ordering::Equal);
    }
}
