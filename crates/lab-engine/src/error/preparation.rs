//! Errors of what prepares an instance for a link: Always On, keys, certificates, endpoints.

use super::SqlError;
use crate::security::crypt::CryptError;

errors! {
    group_ddl_outside_master() 35208 16 1 "Availability-group DDL operations are permitted only when you are using the master database. Run the USE MASTER command, and retry your availability-group DDL command.";
    hadr_disabled() 35221 16 1 "Could not process the operation. Always On Availability Groups replica manager is disabled on this instance of SQL Server. Enable Always On Availability Groups, by using the SQL Server Configuration Manager. Then, restart the SQL Server service, and retry the currently operation. For information about how to enable and disable Always On Availability Groups, see SQL Server Books Online.";
    cannot_alter_database(name) 5011 14 5 "User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks.";
    invalid_name_characters(name) 15006 16 1 "'{name}' is not a valid name because it contains invalid characters.";
    weak_password() 15118 16 1 "Password validation failed. The password does not meet the operating system policy requirements because it is not complex enough.";
    key_needs_password() 15146 16 1 "An encryption password must be provided to encrypt the private key of this certificate.";
    key_needs_no_password() 15147 16 1 "No decryption password should be provided because the private key of this certificate is encrypted by a master key.";
    bad_certificate_file() 15208 16 1 "The certificate, asymmetric key, or private key file is not valid or does not exist; or you do not have permissions for it.";
    certificate_subject() 15212 16 1 "Invalid certificate subject. The certificate subject must have between 1 and 4096 characters.";
    certificate_dates() 15213 16 1 "Warning: The certificate you created has an invalid validity period; its expiration date precedes its start date.";
    certificate_exists(name) 15232 16 1 "A certificate with name '{name}' already exists or this certificate already has been added to the database.";
    cannot_write_file(path) 15240 16 1 "Cannot write into file '{path}'. Verify that you have write permissions, that the file path is valid, and that the file does not already exist.";
    no_key_to_dump(name) 15246 16 1 "Cannot dump the private key of certificate '{name}' because the private key cannot be found.";
    cryptographic_failure() 15296 16 1 "General cryptographic failure.";
    bad_certificate_data() 15297 16 1 "The certificate, asymmetric key, or private key data is invalid.";
    wrong_decryptor() 15313 16 1 "The key is not encrypted using the specified decryptor.";
    key_not_open() 15315 16 1 "The key '##MS_DatabaseMasterKey##' is not open. Please open the key before using it.";
    not_decrypted(name) 15320 16 1 "An error occurred while decrypting certificate '{name}' that was encrypted by the old master key. The FORCE option can be used to ignore this error and continue the operation, but data that cannot be decrypted by the old master key will become unavailable.";
    master_key_closed() 15329 16 1 "The current master key cannot be decrypted. If this is a database master key, you should attempt to open it in the session before performing this operation. The FORCE option can be used to ignore this error and continue the operation but the data encrypted by the old master key will be lost.";
    key_has_password() 15334 16 1 "The certificate has a private key that is protected by a user defined password. That password needs to be provided to enable the use of the private key.";
    certificate_in_use() 15352 16 1 "The certificate cannot be dropped because one or more entities are either signed or encrypted using it.";
    key_format() 15464 16 1 "Unsupported private key format or key length.";
    key_password() 15465 16 1 "The private key password is invalid.";
    certificate_generation() 15468 16 1 "An error occurred during the generation of the certificate.";
    key_of_another() 15474 16 1 "Invalid private key. The private key does not match the public key of the certificate.";
    key_corrupted() 15507 16 1 "A key required by this operation appears to be corrupted.";
    key_without_encryptor() 15542 16 1 "Cannot create a key without specifying an encryptor.";
    endpoint_exists(name) 15530 16 1 "The endpoint with name \"{name}\" already exists.";
    master_key_exists() 15578 16 1 "There is already a master key in the database. Please drop it before performing this statement.";
    encryption_exists(kind, name) 15579 16 1 "Adding an encryption to the symmetric key failed. An encryption by the same {kind} '{name}' may already exist.";
    master_key_in_use(name) 15580 16 1 "Cannot drop master key because certificate '{name}' is encrypted by it.";
    no_master_key() 15581 16 1 "Please create a master key in the database or open the master key in the session before performing this operation.";
    endpoint_of_type_exists() 7862 16 1 "An endpoint of the requested type already exists. Only one endpoint of this type is supported. Use ALTER ENDPOINT or DROP the existing endpoint and execute the CREATE ENDPOINT statement.";
    endpoint_unchanged() 7863 16 1 "The endpoint was not changed. The ALTER ENDPOINT statement did not contain any values to modify or update.";
    chain_not_valid(name, why) 15297 16 2 "The certificate, asymmetric key, or private key data is invalid. The chain of certificate '{name}' does not lead to a trusted issuer: {why}.";
    certificate_not_for_endpoint(name) 28055 16 1 "The certificate '{name}' is not valid for endpoint authentication. The certificate must have a private key encrypted with the database master key and current UTC date has to be between the certificate start date and the certificate expiration date.";
}

impl SqlError {
    /// What sealing or opening says; never with anything of the secret.
    pub(crate) fn crypt(_: CryptError) -> SqlError {
        SqlError::cryptographic_failure()
    }
}
