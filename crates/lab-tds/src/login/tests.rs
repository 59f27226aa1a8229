use super::*;
use proptest::prelude::*;

/// The client's half, which only tests need.
fn encode(login: &Login7, change: Option<&str>) -> Vec<u8> {
    let fixed = FIXED;
    let mut data: Vec<u8> = Vec::new();
    let mut field = |bytes: Vec<u8>, width: usize| {
        let at = (fixed + data.len()) as u16;
        let count = (bytes.len() / width) as u16;
        data.extend_from_slice(&bytes);
        [at.to_le_bytes(), count.to_le_bytes()].concat()
    };
    let wide = |s: &str| s.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let disguise = |s: &str| wide(s).iter().map(|b| b.rotate_left(4) ^ 0xA5).collect::<Vec<u8>>();
    let mut list = Vec::new();
    let mut out = field(wide(&login.host_name), 2);
    out.extend(field(wide(&login.user_name), 2));
    out.extend(field(disguise(login.password.expose()), 2));
    out.extend(field(wide(&login.app_name), 2));
    out.extend(field(wide(&login.server_name), 2));
    let pointer_at = out.len();
    out.extend(field(vec![0; 4], 1));
    out.extend(field(wide(&login.library_name), 2));
    out.extend(field(wide(&login.language), 2));
    out.extend(field(wide(&login.database), 2));
    out.extend([0; 6]);
    out.extend(field(login.sspi.clone(), 1));
    out.extend(field(wide(&login.attach_db_file), 2));
    out.extend(field(disguise(change.unwrap_or_default()), 2));
    out.extend([0; 4]);
    for f in &login.features {
        list.push(f.id);
        list.extend((f.data.len() as u32).to_le_bytes());
        list.extend(&f.data);
    }
    list.push(0xFF);
    let list_at = fixed + data.len();
    let pointer = usize::from(u16::from_le_bytes([out[pointer_at], out[pointer_at + 1]])) - fixed;
    data[pointer..pointer + 4].copy_from_slice(&(list_at as u32).to_le_bytes());
    let mut head = Vec::new();
    head.extend(((list_at + list.len()) as u32).to_le_bytes());
    for n in [login.tds_version, login.packet_size, login.client_version, login.client_pid, 0] {
        head.extend(n.to_le_bytes());
    }
    head.extend([login.option_flags1, login.option_flags2, login.type_flags, login.option_flags3]);
    head.extend(login.time_zone.to_le_bytes());
    head.extend(login.lcid.to_le_bytes());
    [head, out, data, list].concat()
}

fn login() -> Login7 {
    Login7 {
        tds_version: 0x7400_0004,
        packet_size: 4096,
        option_flags3: 0x10,
        type_flags: 0x20,
        host_name: "host".into(),
        user_name: "sa".into(),
        password: Password("pä$s".into()),
        app_name: "app".into(),
        database: "Chinook".into(),
        features: vec![Feature { id: 0x0A, data: vec![1] }, Feature { id: 0x7E, data: vec![] }],
        ..Login7::default()
    }
}

#[test]
fn fields_flags_and_features() {
    let expect = login();
    let got = Login7::decode(&encode(&expect, None)).unwrap();
    assert_eq!(got, expect);
    assert!(got.read_only_intent());
    assert_eq!(got.feature(0x0A).map(|f| f.data.as_slice()), Some(&[1][..]));
    assert_eq!(got.features[1].id, 0x7E, "unknown ids are kept");
    assert!(!format!("{got:?}").contains("pä$s"));
}

#[test]
fn a_changed_password() {
    let expect = Login7 { option_flags3: 0x11, change_password: Some(Password("new".into())), ..login() };
    assert_eq!(Login7::decode(&encode(&expect, Some("new"))).unwrap(), expect);
}

/// The example of MS-TDS 4.2, shortened to its fixed part and the password `foo` in disguise.
#[test]
fn golden_password() {
    assert_eq!(
        Password::decode(&[0xA5 ^ 0x66, 0xA5, 0x53, 0xA5]).unwrap().expose().chars().nth(1),
        Some('o')
    );
}

#[test]
fn a_federated_token() {
    let mut data = vec![0x01 << 1 | 1];
    data.extend([3, 0, 0, 0, b't', b'o', b'k']);
    let with = Login7 { features: vec![Feature { id: 2, data }], ..login() };
    let got = Login7::decode(&encode(&with, None)).unwrap().federated_auth().unwrap().unwrap();
    assert_eq!((got.library, got.echo, got.token.as_slice()), (1, true, &b"tok"[..]));
}

#[test]
fn every_cut_is_refused() {
    let whole = encode(&login(), None);
    for cut in 0..whole.len() {
        assert!(Login7::decode(&whole[..cut]).is_err(), "{cut}");
    }
}

proptest! {
    #[test]
    fn never_panics(at in 0usize..300, byte: u8, tail in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut whole = encode(&login(), None);
        let at = at % whole.len();
        whole[at] = byte;
        whole.extend(tail);
        if let Ok(login) = Login7::decode(&whole) {
            let _ = login.federated_auth();
        }
    }

    #[test]
    fn round_trip(user in "\\PC{0,40}", password in "\\PC{0,40}", sspi in proptest::collection::vec(any::<u8>(), 0..40)) {
        let expect = Login7 { user_name: user, password: Password(password), sspi, ..login() };
        prop_assert_eq!(Login7::decode(&encode(&expect, None)).unwrap(), expect);
    }
}
