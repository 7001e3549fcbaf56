-- works with: 12
-- Reserved: another change of the same release has this number.
select 1;
