"""The band family on stage: named stems from one encoder and one decoder per stem, without torch."""
