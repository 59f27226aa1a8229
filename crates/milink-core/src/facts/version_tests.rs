use super::super::sources::tests::check_source;
use super::*;

fn v(text: &str) -> ServerVersion {
    text.parse().unwrap()
}

#[test]
fn builds_are_read_and_ordered() {
    assert_eq!(v("16.0.4125.3"), ServerVersion::new(16, 0, 4125, 3));
    assert_eq!(v("16.0.4125.3").to_string(), "16.0.4125.3");
    assert_eq!(v("12.0.5000"), ServerVersion::new(12, 0, 5000, 0));
    assert!(v("13.0.7000.253") > v("13.0.6300.2"));
    assert!(v("14.0.3490.10") > v("14.0.3490.9"), "numbers, not letters");
    for bad in ["", "16", "16.0", "16.0.x.1", "16.0.1.2.3", "+16.0.1.2", "16..1.2", "16.0.99999999999.1"] {
        assert!(bad.parse::<ServerVersion>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_build_is_text_in_json() {
    let json = serde_json::to_string(&v("17.0.1000.7")).unwrap();
    assert_eq!(json, "\"17.0.1000.7\"");
    assert_eq!(serde_json::from_str::<ServerVersion>(&json).unwrap(), v("17.0.1000.7"));
    assert!(serde_json::from_str::<ServerVersion>("\"2022\"").is_err());
}

#[test]
fn each_release_has_its_row_in_order() {
    let releases: Vec<Release> = RELEASES.iter().map(|r| r.release).collect();
    assert_eq!(releases, Release::ALL);
    for row in RELEASES {
        check_source(row.source, &row.release.to_string());
        assert!(!row.packs.is_empty() && !row.platforms.is_empty());
        assert!(row.packs.is_sorted_by_key(|p| p.build), "the last pack's build implies the others");
        let later = [row.starts_from_managed, row.failover_by_tsql].into_iter();
        let builds = later.filter_map(|m| if let Minimum::From(pack) = m { Some(pack.build) } else { None });
        for build in row.packs.iter().map(|p| p.build).chain(builds) {
            assert_eq!(build.release(), Some(row.release));
        }
        // A link that a failover ends has no way back, and the other way round.
        assert_eq!(row.failover_breaks_link, row.starts_from_managed == Minimum::Never);
        assert_eq!(row.failover_breaks_link, policy::direction(row.release).from_managed.is_none());
    }
}

#[test]
fn every_question_cites_a_document() {
    for version in
        ["11.0.1.1", "13.0.6300.2", "14.0.3490.10", "15.0.4312.2", "16.0.4125.3", "17.0.1000.7", "18.0.1.1"]
    {
        let version = v(version);
        for verdict in [
            can_link(version),
            can_link_edition("Express Edition", false),
            can_start_from_managed(version, None),
            can_fail_back(version, Some(UpdatePolicy::SqlServer2022)),
            failover_by_tsql(version),
            can_multi_database(version),
        ] {
            check_source(verdict.source, &verdict.wanted);
            assert!(!verdict.wanted.is_empty() && !verdict.why.is_empty());
        }
    }
}

/// One line for each build, so that a change of the table is seen as a change of behaviour.
#[test]
fn what_builds_can_do() {
    let letter = |verdict: Verdict| match verdict.answer {
        Answer::Yes => 'y',
        Answer::No => '-',
        Answer::Unknown => '?',
    };
    // In order: link, from the managed instance (policy of the same release), fail back (always-up-to-date), FAILOVER, several databases.
    let expected = [
        ("12.0.6433.1", None, "-----"),
        ("13.0.6300.2", None, "-----"),
        ("13.0.6485.1", None, "-----"),
        ("13.0.7000.252", None, "-----"),
        ("13.0.7000.253", None, "y----"),
        ("14.0.3456.2", None, "-----"),
        ("14.0.3485.1", None, "-----"),
        ("14.0.3490.10", None, "y----"),
        ("15.0.2155.2", None, "-----"),
        ("15.0.4312.1", None, "-----"),
        ("15.0.4312.2", None, "y----"),
        ("16.0.1000.5", Some(UpdatePolicy::SqlServer2022), "-----"),
        ("16.0.1000.6", Some(UpdatePolicy::SqlServer2022), "y----"),
        ("16.0.4095.3", Some(UpdatePolicy::SqlServer2022), "y----"),
        ("16.0.4095.4", Some(UpdatePolicy::SqlServer2022), "yy---"),
        ("16.0.4125.2", Some(UpdatePolicy::SqlServer2022), "yy---"),
        ("16.0.4125.3", Some(UpdatePolicy::SqlServer2022), "yy-y-"),
        ("16.0.4200.1", Some(UpdatePolicy::SqlServer2022), "yy-y?"),
        ("17.0.1000.7", Some(UpdatePolicy::SqlServer2025), "yy-y-"),
        ("17.0.4000.1", Some(UpdatePolicy::SqlServer2025), "yy-y?"),
        ("18.0.1000.1", None, "?????"),
    ];
    for (build, policy, wanted) in expected {
        let version = v(build);
        let seen: String = [
            can_link(version),
            can_start_from_managed(version, policy),
            can_fail_back(version, Some(UpdatePolicy::AlwaysUpToDate)),
            failover_by_tsql(version),
            can_multi_database(version),
        ]
        .into_iter()
        .map(letter)
        .collect();
        assert_eq!(seen, wanted, "{build}");
    }
}

#[test]
fn the_reason_is_the_one_that_stands_in_the_way() {
    let verdict = can_fail_back(v("16.0.4125.3"), Some(UpdatePolicy::SqlServer2025));
    assert_eq!(verdict.answer, Answer::No);
    assert!(verdict.why.contains("41984"), "{verdict:?}");
    assert_eq!(
        verdict.wanted,
        "SQL Server 2022: CU10 (16.0.4095.4, KB5031778) or later, and update policy SQL Server 2022 on the managed instance"
    );
    let verdict = can_fail_back(v("16.0.4003.1"), Some(UpdatePolicy::SqlServer2022));
    assert!(verdict.answer == Answer::No && verdict.why.contains("build"), "{verdict:?}");
    assert_eq!(can_fail_back(v("16.0.4125.3"), None).answer, Answer::Unknown);
    assert_eq!(
        can_link(v("14.0.3456.2")).wanted,
        "SQL Server 2017: CU31 (14.0.3456.2, KB5016884) and Azure Connect pack (14.0.3490.10, KB5050533) or later"
    );
}

#[test]
fn what_failover_does_to_the_link() {
    let broken: Vec<bool> = Release::ALL.into_iter().map(failover_breaks_link).collect();
    assert_eq!(broken, [true, true, true, false, false]);
}

#[test]
fn editions_as_instances_name_them() {
    for (text, edition, one, several) in [
        ("Enterprise Edition: Core-based Licensing (64-bit)", Edition::Enterprise, Answer::Yes, Answer::Yes),
        ("Developer Edition (64-bit)", Edition::Developer, Answer::Yes, Answer::Yes),
        ("Enterprise Developer Edition (64-bit)", Edition::Developer, Answer::Yes, Answer::Yes),
        ("Standard Edition (64-bit)", Edition::Standard, Answer::Yes, Answer::No),
        ("Standard Developer Edition (64-bit)", Edition::Standard, Answer::Yes, Answer::No),
        ("Enterprise Evaluation Edition (64-bit)", Edition::Evaluation, Answer::Unknown, Answer::Unknown),
        ("Express Edition (64-bit)", Edition::Other, Answer::No, Answer::No),
        ("Web Edition (64-bit)", Edition::Other, Answer::No, Answer::No),
    ] {
        assert_eq!(Edition::of(text), edition);
        assert_eq!(can_link_edition(text, false).answer, one, "{text}");
        assert_eq!(can_link_edition(text, true).answer, several, "{text}");
    }
}
