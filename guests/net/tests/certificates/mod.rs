//! Certificates for the host `server`, made on it, as from the certificate authority of a company.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a server shows, and what a client has to trust.
pub struct Certified {
    /// The server's certificate.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The authority's certificate.
    pub authority: CertificateDer<'static>,
}

/// A new authority's certificate for `server`, valid from the first day of one month (year, month) to that of
/// another.
pub fn certified(from: (i32, u8), to: (i32, u8)) -> Certified {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "the company's own authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let own_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&own_key).unwrap().der().clone();
    let issuer = Issuer::new(params, own_key);

    let mut params = CertificateParams::new(["server".to_string()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from.0, from.1, 1);
    params.not_after = rcgen::date_time_ymd(to.0, to.1, 1);
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    Certified { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()), authority }
}
