/* OpenSSL: digests, ciphers, key derivation, big numbers, signatures of fixed keys; what the library chooses by CPUID. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
static unsigned char data[10007], out[11000], back[11000];
static void show(const char *name, const unsigned char *p, size_t n) {
    unsigned long long h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    printf("%s %zu %016llx\n", name, n, h);
}
static void digest(const char *name) {
    unsigned n = 0;
    for (size_t size = 0; size <= sizeof data; size = size < 300 ? size + 7 : size * 3) {
        EVP_Digest(data, size < sizeof data ? size : sizeof data, out, &n, EVP_get_digestbyname(name), NULL);
        show(name, out, n);
    }
}
static void cipher(const char *name) {
    const EVP_CIPHER *how = EVP_get_cipherbyname(name);
    if (!how) return;
    for (size_t size = 16; size < sizeof data; size = size * 2 + 16) {
        int n = 0, m = 0, k = 0, l = 0;
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        EVP_EncryptInit_ex(c, how, NULL, data + 1, data + 2);
        EVP_EncryptUpdate(c, out, &n, data, (int)size);
        EVP_EncryptFinal_ex(c, out + n, &m);
        EVP_CIPHER_CTX_reset(c);
        EVP_DecryptInit_ex(c, how, NULL, data + 1, data + 2);
        EVP_DecryptUpdate(c, back, &k, out, n + m);
        EVP_DecryptFinal_ex(c, back + k, &l);
        EVP_CIPHER_CTX_free(c);
        show(name, out, (size_t)(n + m));
        if (memcmp(back, data, size)) printf("%s: differs\n", name);
    }
}
static void numbers(void) {
    BN_CTX *c = BN_CTX_new();
    for (int bits = 128; bits <= 4096; bits *= 2) {
        BIGNUM *a = BN_bin2bn(data, bits / 8, NULL), *e = BN_bin2bn(data + 99, bits / 8, NULL);
        BIGNUM *m = BN_bin2bn(data + 500, bits / 8, NULL), *r = BN_new();
        BN_set_bit(m, 0), BN_set_bit(m, bits - 1);
        BN_mod_exp(r, a, e, m, c);
        show("modexp", out, (size_t)BN_bn2bin(r, out));
        BN_mul(r, a, e, c);
        show("mul", out, (size_t)BN_bn2bin(r, out));
        BN_gcd(r, a, m, c);
        show("gcd", out, (size_t)BN_bn2bin(r, out));
    }
}
static void keys(int type, const char *name) {
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(type, NULL, data + 40, 32);
    unsigned char public[64];
    size_t n = sizeof public, m = sizeof out;
    EVP_PKEY_get_raw_public_key(k, public, &n);
    show(name, public, n);
    if (type == EVP_PKEY_ED25519) {
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        EVP_DigestSignInit(c, NULL, NULL, NULL, k);
        printf("sign %d\n", EVP_DigestSign(c, out, &m, data, 1000));
        show("signature", out, m);
        EVP_MD_CTX_reset(c);
        EVP_DigestVerifyInit(c, NULL, NULL, NULL, k);
        printf("verify %d\n", EVP_DigestVerify(c, out, m, data, 1000));
    }
}
static void curves(void) {
    /* Keys of curves are drawn: only whether they work is shown. */
    const char *names[] = {"P-256", "P-384", "P-521"};
    for (int i = 0; i < 3; i++) {
        EVP_PKEY *k = EVP_EC_gen(names[i]);
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        size_t n = sizeof out;
        int s = EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k) && EVP_DigestSign(c, out, &n, data, 100);
        EVP_MD_CTX_reset(c);
        int v = EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k) && EVP_DigestVerify(c, out, n, data, 100) == 1;
        printf("%s %d %d\n", names[i], s, v);
    }
    EVP_PKEY *rsa = EVP_RSA_gen(1024);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    size_t n = sizeof out;
    int s = EVP_DigestSignInit(c, NULL, EVP_sha512(), NULL, rsa) && EVP_DigestSign(c, out, &n, data, 100);
    EVP_MD_CTX_reset(c);
    printf("RSA %d %d\n", s,
           EVP_DigestVerifyInit(c, NULL, EVP_sha512(), NULL, rsa) && EVP_DigestVerify(c, out, n, data, 100) == 1);
}
int main(void) {
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i * 31 + i * 7 + 3);
    const char *digests[] = {"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHAKE256",
                             "BLAKE2b512", "BLAKE2s256", "SM3", "RIPEMD160"};
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (EVP_get_digestbyname(digests[i])) digest(digests[i]);
    const char *ciphers[] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "AES-128-CTR", "AES-256-CTR", "AES-128-ECB",
                             "AES-128-XTS", "AES-256-GCM", "ChaCha20", "CAMELLIA-128-CBC", "DES-EDE3-CBC", "ARIA-128-CTR"};
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) cipher(ciphers[i]);
    PKCS5_PBKDF2_HMAC("password", 8, data, 16, 2000, EVP_sha256(), 64, out);
    show("pbkdf2", out, 64);
    EVP_PBE_scrypt("password", 8, data, 16, 256, 8, 1, 1 << 24, out, 64);
    show("scrypt", out, 64);
    numbers();
    keys(EVP_PKEY_ED25519, "ed25519");
    keys(EVP_PKEY_X25519, "x25519");
    curves();
    return 0;
}
