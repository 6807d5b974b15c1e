//! Bytes as a PyTorch file, and as the pickle in one, beside two storages: what is read is whole.

use rnnc::weights::torch;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub fn run(bytes: &[u8]) {
    let files: [(&str, &[u8]); 3] = [("a/data.pkl", bytes), ("a/data/0", &[0x3f; 64]), ("a/data/1", &[0; 6])];
    for archive in [bytes.to_vec(), archive(&files)] {
        if let Ok(arrays) = torch::read_within("a.pt", &archive, super::MOST) {
            super::whole(&arrays);
        }
    }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in files {
        zip.start_file(*name, stored).expect("a file of an archive");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("an archive").into_inner()
}
