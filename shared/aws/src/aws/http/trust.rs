//! Whom TLS trusts.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The roots of Amazon Trust Services, which sign for every endpoint of AWS's commercial Regions.
/// <https://www.amazontrust.com/repository/>
const AMAZON: &[u8] = include_bytes!("amazon_roots.pem");

/// Which roots certificates are followed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Roots {
    /// The machine's. A network that looks into TLS has its own among them.
    #[default]
    Machine,
    /// Amazon's for AWS's own endpoints, and the machine's for others. A machine's hundreds of files take longer to
    /// read than all else that a function does before its first event.
    Amazon,
}

impl Roots {
    /// For a function of Lambda: Amazon's, unless its environment names others for the whole process.
    pub fn of_function(look_up: &impl Fn(&str) -> Option<String>) -> Self {
        // The variables that OpenSSL knows, by which the machine's roots are found too.
        let has_own = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| look_up(name).is_some());
        if has_own { Self::Machine } else { Self::Amazon }
    }
}

/// Whether Amazon's roots sign for a host. China and the isolated Regions have other domains; GovCloud is left to the
/// machine's roots, because nothing says which sign for it.
fn is_amazon(host: &str) -> bool {
    let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".api.aws");
    is_aws && !host.contains("us-gov-")
}

/// The configuration for a host. The machine's roots are read at the first call that needs them.
pub(super) fn tls(roots: Roots, host: &str) -> Result<Arc<ClientConfig>, String> {
    static OF_AMAZON: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON) {
            store.add(certificate.expect("the file is PEM")).expect("its roots are well formed");
        }
        Arc::new(over(store))
    });
    static OF_MACHINE: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (read, _) = store.add_parsable_certificates(found.certs);
        match read {
            0 => Err(format!(
                "this machine has no root certificates for TLS; install ca-certificates or set SSL_CERT_FILE: {:?}",
                found.errors
            )),
            _ => Ok(Arc::new(over(store))),
        }
    });
    match roots {
        Roots::Amazon if is_amazon(host) => Ok(Arc::clone(&OF_AMAZON)),
        _ => OF_MACHINE.clone(),
    }
}

fn over(store: RootCertStore) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 ask for")
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_roots_are_those_that_amazon_names() {
        let prints: Vec<String> = CertificateDer::pem_slice_iter(AMAZON)
            .map(|certificate| Sha256::digest(certificate.unwrap()))
            .map(|print| print.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        // https://www.amazontrust.com/repository/
        assert_eq!(
            prints,
            [
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ]
        );
    }

    #[test]
    fn amazons_roots_are_for_the_commercial_regions_alone() {
        for (host, is) in [
            ("lambda.eu-west-1.amazonaws.com", true),
            ("bucket.s3.us-east-1.amazonaws.com", true),
            ("dynamodb.us-east-1.api.aws", true),
            ("dynamodb.cn-north-1.amazonaws.com.cn", false),
            ("lambda.us-gov-west-1.amazonaws.com", false),
            ("amazonaws.com.example.org", false),
            ("localhost", false),
        ] {
            assert_eq!(is_amazon(host), is, "{host}");
        }
    }

    #[test]
    fn a_function_that_names_roots_gets_them() {
        assert_eq!(Roots::of_function(&|_| None), Roots::Amazon);
        for named in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            let look_up = |name: &str| (name == named).then(|| "/etc/roots".to_owned());
            assert_eq!(Roots::of_function(&look_up), Roots::Machine);
        }
    }
}
