"""What the commands say in English and in Japanese: names, meanings, errors."""
